# What the system offers: threads, libm, line editing. Everything here may be absent, and then one
# line says what the build goes without.
# Sets HEARTH_SYSTEM_LIBRARIES (for the library), HEARTH_HAVE_LIBEDIT and HEARTH_EDIT_LIBRARIES (for
# the program) and PkgConfig_FOUND. A cross build never looks at the host's packages.
set(HEARTH_SYSTEM_LIBRARIES)
if(HEARTH_OS STREQUAL "win")
    list(APPEND HEARTH_SYSTEM_LIBRARIES bcrypt psapi) # os/win_*.c: random bytes, peak memory
elseif(HEARTH_OS STREQUAL "posix") # wasm has one thread and libm inside libc
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
    list(APPEND HEARTH_SYSTEM_LIBRARIES Threads::Threads m)
endif()

set(HEARTH_HAVE_LIBEDIT 0)
set(HEARTH_EDIT_LIBRARIES)
if(NOT CMAKE_CROSSCOMPILING)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
        pkg_check_modules(LIBEDIT QUIET IMPORTED_TARGET libedit)
    endif()
endif()
if(LIBEDIT_FOUND)
    set(HEARTH_HAVE_LIBEDIT 1)
    set(HEARTH_EDIT_LIBRARIES PkgConfig::LIBEDIT)
elseif(NOT CMAKE_CROSSCOMPILING)
    message(STATUS "libedit not found: `hearth run` reads plain lines, without history")
endif()
