# Every target of ours is built with these; third-party headers come in as system headers.
add_compile_options(
  -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wcast-qual -Wundef -Wformat=2 -Wpointer-arith -Wwrite-strings
  -fstack-protector-strong -fno-common -fno-omit-frame-pointer)
add_compile_definitions(_GNU_SOURCE)
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
if(GATEKEY_SANITIZE)
  add_compile_options(-fsanitize=${GATEKEY_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GATEKEY_SANITIZE})
  add_compile_definitions(GATEKEY_SANITIZED)
  if(GATEKEY_SANITIZE STREQUAL "thread")
    add_compile_definitions(GATEKEY_SANITIZED_THREADS)
  endif()
  if(GATEKEY_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link) # the fuzzer is led by what the libraries run
  endif()
else()
  add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
include_directories(${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR})
