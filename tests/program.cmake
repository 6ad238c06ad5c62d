# Tests of the finished program, as a user meets it.
add_test(NAME program/story COMMAND ${CMAKE_COMMAND}
    -DDEFAULT_DATA=${PROJECT_SOURCE_DIR}/../shared/data
    "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:hearth>"
    -P ${CMAKE_CURRENT_SOURCE_DIR}/story.cmake)
set_tests_properties(program/story PROPERTIES LABELS program TIMEOUT 300
    SKIP_REGULAR_EXPRESSION "not found, skipped")

file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
if(examples AND PkgConfig_FOUND AND TARGET hearth_shared AND NOT CMAKE_CROSSCOMPILING)
    add_test(NAME program/install COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR}
        -DSOURCE=${PROJECT_SOURCE_DIR} -DCC=${CMAKE_C_COMPILER}
        -P ${CMAKE_CURRENT_SOURCE_DIR}/install.cmake)
    set_tests_properties(program/install PROPERTIES LABELS program TIMEOUT 300)
endif()
