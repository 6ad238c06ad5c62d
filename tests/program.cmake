# Tests of the finished program, as a user meets it.
set(data "$ENV{HEARTH_TEST_DATA}")
if(NOT data)
    set(data ${PROJECT_SOURCE_DIR}/../shared/data)
endif()
add_test(NAME program/story COMMAND ${CMAKE_COMMAND} -DDATA=${data}
    "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:hearth>"
    -P ${CMAKE_CURRENT_SOURCE_DIR}/story.cmake)
set_tests_properties(program/story PROPERTIES LABELS program TIMEOUT 300
    SKIP_REGULAR_EXPRESSION "not found, skipped")
