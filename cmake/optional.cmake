# What the system offers: threads, libm, line editing, Unicode, patterns, HTTP. Everything here may
# be absent, and then one line says what the build goes without.
# Sets HEARTH_SYSTEM_LIBRARIES (for the library), HEARTH_HAVE_PCRE2, HEARTH_HAVE_UTF8PROC and
# HEARTH_TOK_LIBRARIES (for src/tok), HEARTH_HAVE_LIBEDIT, HEARTH_EDIT_LIBRARIES,
# HEARTH_HAVE_SERVER and HEARTH_SERVER_LIBRARIES (for the program) and PkgConfig_FOUND. A cross
# build never looks at the host's packages.
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
        pkg_check_modules(PCRE2 QUIET IMPORTED_TARGET libpcre2-8>=10.40) # \p{sc:...}
        pkg_check_modules(UTF8PROC QUIET IMPORTED_TARGET libutf8proc)
    endif()
endif()
if(LIBEDIT_FOUND)
    set(HEARTH_HAVE_LIBEDIT 1)
    set(HEARTH_EDIT_LIBRARIES PkgConfig::LIBEDIT)
elseif(NOT CMAKE_CROSSCOMPILING)
    message(STATUS "libedit not found: `hearth run` reads plain lines, without history")
endif()

set(HEARTH_HAVE_PCRE2 0)
set(HEARTH_HAVE_UTF8PROC 0)
set(HEARTH_TOK_LIBRARIES)
if(PCRE2_FOUND)
    set(HEARTH_HAVE_PCRE2 1)
    list(APPEND HEARTH_TOK_LIBRARIES PkgConfig::PCRE2)
elseif(NOT CMAKE_CROSSCOMPILING)
    message(STATUS "libpcre2-8 not found: tokenizer.json only with patterns that are known")
endif()
if(UTF8PROC_FOUND)
    set(HEARTH_HAVE_UTF8PROC 1)
    list(APPEND HEARTH_TOK_LIBRARIES PkgConfig::UTF8PROC)
elseif(NOT CMAKE_CROSSCOMPILING)
    message(STATUS "libutf8proc not found: tokenizer.json only without Unicode normalisation")
endif()
# An installed static library names what it needs; here, pkg-config knows where that is.
set(HEARTH_PC_LIBRARIES)
foreach(library ${HEARTH_TOK_LIBRARIES})
    string(REPLACE "PkgConfig::" "" prefix ${library})
    list(APPEND HEARTH_SYSTEM_LIBRARIES $<BUILD_INTERFACE:${library}>
        $<INSTALL_INTERFACE:${${prefix}_LIBRARIES}>)
    string(APPEND HEARTH_PC_LIBRARIES " -l${${prefix}_LIBRARIES}")
endforeach()

set(HEARTH_HAVE_SERVER 0)
set(HEARTH_SERVER_LIBRARIES)
if(NOT CMAKE_CROSSCOMPILING AND PkgConfig_FOUND)
    pkg_check_modules(MICROHTTPD QUIET IMPORTED_TARGET libmicrohttpd>=0.9.70)
    pkg_check_modules(JANSSON QUIET IMPORTED_TARGET jansson)
endif()
if(MICROHTTPD_FOUND AND JANSSON_FOUND)
    set(HEARTH_HAVE_SERVER 1)
    set(HEARTH_SERVER_LIBRARIES PkgConfig::MICROHTTPD PkgConfig::JANSSON)
elseif(NOT CMAKE_CROSSCOMPILING)
    message(STATUS "libmicrohttpd or jansson not found: no `hearth serve`")
endif()
