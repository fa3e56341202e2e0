# librados as Rados::rados. Debian's librados-dev has no file for pkg-config.
find_path(GATEKEY_RADOS_INCLUDE rados/librados.h REQUIRED)
find_library(GATEKEY_RADOS_LIBRARY rados REQUIRED)
add_library(Rados::rados UNKNOWN IMPORTED)
set_target_properties(Rados::rados PROPERTIES IMPORTED_LOCATION ${GATEKEY_RADOS_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${GATEKEY_RADOS_INCLUDE})
