# Installs a build into a folder of its own, moves that folder, and compiles examples/*.c against it
# through pkg-config and through the CMake package, with the static and with the shared library.
# cmake -DBUILD=DIR -DSOURCE=DIR -DCC=COMPILER -P install.cmake
set(scratch ${BUILD}/install_test)
set(prefix ${scratch}/moved)

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "exit status ${status}: ${ARGN}\n${out}")
    endif()
endfunction()

file(REMOVE_RECURSE ${scratch})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${scratch}/first)
file(RENAME ${scratch}/first ${prefix})

run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${scratch}/consumer -G Ninja
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${CC} -DEXAMPLES=${SOURCE}/examples)
run(${CMAKE_COMMAND} --build ${scratch}/consumer)

file(GLOB_RECURSE pc ${prefix}/hearth.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
file(GLOB examples ${SOURCE}/examples/*.c)
foreach(source ${examples})
    run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_dir} sh -c
        "${CC} -o ${scratch}/example ${source} $(pkg-config --cflags --libs hearth)")
endforeach()
run(${prefix}/bin/hearth --version)

# The shared library offers what the headers say and nothing else.
file(GLOB shared ${prefix}/lib*/libhearth.so ${prefix}/lib/*/libhearth.so)
execute_process(COMMAND nm -D --defined-only -P ${shared} OUTPUT_VARIABLE symbols
    COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "(^|\n)hearth_[^\n]*" "" others "${symbols}")
string(STRIP "${others}" others)
if(others)
    message(FATAL_ERROR "exported without the prefix 'hearth_':\n${others}")
endif()
