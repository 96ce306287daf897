// Owner of the precompiled headers that all tests share; CMake wants a source file with them.
