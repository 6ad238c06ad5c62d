# The one table of per-file instruction set flags. Each file that needs one ends in its name.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(HEARTH_KERN_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
    set(HEARTH_KERN_ARCH arm)
else()
    set(HEARTH_KERN_ARCH none)
endif()

set(KERN_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(KERN_FLAGS_avx512 ${KERN_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(KERN_FLAGS_vnni ${KERN_FLAGS_avx512} -mavx512vnni)
set(KERN_FLAGS_neon "")
set(KERN_FLAGS_dotprod -march=armv8.2-a+dotprod)

# Sanitizers at -O3 take minutes on the unrolled kernels. Fuzzers are about parsers: there the
# kernels go without sanitizers; the asan preset and checkkern's guard pages watch them.
set(KERN_OPTIMISE -O3)
if(HEARTH_SANITIZE)
    set(KERN_OPTIMISE -O1)
endif()
if(HEARTH_FUZZ)
    list(APPEND KERN_OPTIMISE -fno-sanitize=all)
endif()

function(hearth_kern_flags sources)
    foreach(source ${sources})
        foreach(isa avx2 avx512 vnni neon dotprod)
            if(source MATCHES "_${isa}\\.c$")
                set_source_files_properties(${source} PROPERTIES
                    COMPILE_OPTIONS "${KERN_FLAGS_${isa}};${KERN_OPTIMISE}")
            endif()
        endforeach()
    endforeach()
endfunction()
