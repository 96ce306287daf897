# Writes a source file with the digest of each room's code: cmake -DROOT=<folder of the repository>
# -DROOMS="builder/guest;artifacts/tar" -DOUTPUT=<file> -P code_digests.cmake. A room is a folder with all below it, or the
# path of a unit without its ending.
set(rows "")
foreach(room IN LISTS ROOMS)
  file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/${room}/*.cpp ${ROOT}/${room}/*.hpp ${ROOT}/${room}/*.sh)
  file(GLOB unit RELATIVE ${ROOT} ${ROOT}/${room}.cpp ${ROOT}/${room}.hpp)
  list(APPEND files ${unit})
  if(NOT files)
    message(FATAL_ERROR "code_digests: there is no code in ${room}")
  endif()
  list(SORT files)
  set(text "")
  foreach(file IN LISTS files)
    file(SHA256 ${ROOT}/${file} hash)
    string(APPEND text "${hash}  ${file}\n")
  endforeach()
  string(SHA256 digest "${text}")
  string(APPEND rows "    {\"${room}\", \"${digest}\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by builder/steps/profile/code_digests.cmake.
#include \"builder/steps/profile/code_digests.hpp\"

namespace imgforge::steps {

std::span<const CodeDigest> code_digests() {
  static constexpr CodeDigest kRows[] = {
${rows}  };
  return kRows;
}

}  // namespace imgforge::steps
")
