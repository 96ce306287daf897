#include "builder/cli/command.hpp"

int main(int argc, char** argv) {
  return imgforge::cli::run(argc, argv);
}
