# The official ONNX tests (tag 1.22.0), unpacked once per build folder from the test data, run by
# the program. FLOOR is what passed when it was last raised; it never goes down. Run as a script
# (cmake -P) it is the test itself.
if(NOT CMAKE_SCRIPT_MODE_FILE)
    add_test(NAME program/onnx_conformance COMMAND ${CMAKE_COMMAND}
        -DDEFAULT_DATA=${PROJECT_SOURCE_DIR}/../shared/data -DWORK=${CMAKE_CURRENT_BINARY_DIR}/onnx
        "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:hearth>"
        -P ${CMAKE_CURRENT_LIST_FILE})
    set_tests_properties(program/onnx_conformance PROPERTIES LABELS program TIMEOUT 900
        SKIP_REGULAR_EXPRESSION "not found, skipped")
    return()
endif()

set(FLOOR 1747)
set(DATA $ENV{HEARTH_TEST_DATA})
if(NOT DATA)
    set(DATA ${DEFAULT_DATA})
endif()
set(ARCHIVE ${DATA}/onnx-conformance/onnx_v1.22.0_backend_test_data.tar.zst)
if(NOT EXISTS ${ARCHIVE})
    message("${ARCHIVE} not found, skipped")
    return()
endif()
if(NOT EXISTS ${WORK}/done)
    file(REMOVE_RECURSE ${WORK})
    file(ARCHIVE_EXTRACT INPUT ${ARCHIVE} DESTINATION ${WORK})
    file(TOUCH ${WORK}/done)
endif()
execute_process(COMMAND ${PROGRAM} graph conform ${WORK}/onnx/backend/test/data --at-least ${FLOOR}
    RESULT_VARIABLE failed OUTPUT_VARIABLE report ERROR_VARIABLE report)
string(REGEX MATCHALL "[^\n]*(failed  |not attempted|error)[^\n]*" summary "${report}")
string(REPLACE ";" "\n" summary "${summary}")
message("${summary}")
if(failed)
    message(FATAL_ERROR "fewer than ${FLOOR} official tests pass")
endif()
