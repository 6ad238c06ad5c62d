# `cmake --install build/release --prefix DIR`: program, libraries, headers, and two ways to find
# them: pkg-config (hearth.pc) and find_package(Hearth), which offers hearth::hearth_lib (static)
# and hearth::hearth_shared.
install(TARGETS ${HEARTH_LIBRARIES} EXPORT HearthTargets)
install(DIRECTORY include/hearth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Hearth)
install(EXPORT HearthTargets NAMESPACE hearth:: DESTINATION ${package_dir})
configure_package_config_file(cmake/HearthConfig.cmake.in HearthConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(HearthConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/HearthConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/HearthConfigVersion.cmake DESTINATION ${package_dir})

# hearth.pc finds its prefix from its own place, so that an installed tree can be moved.
file(RELATIVE_PATH pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_up ${pc_up})
configure_file(cmake/hearth.pc.in hearth.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/hearth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
