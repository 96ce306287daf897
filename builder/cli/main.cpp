#include "builder/cli/frame/command.hpp"

int main(int argc, char** argv) {
  return imgforge::cli::run(argc, argv);
}
