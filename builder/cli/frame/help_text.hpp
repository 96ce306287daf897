// The text of --help: CLI11's own, with descriptions that are broken where the terminal ends.
#pragma once

#include <CLI/Formatter.hpp>
#include <string>

namespace imgforge::cli {

class HelpText : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

}  // namespace imgforge::cli
