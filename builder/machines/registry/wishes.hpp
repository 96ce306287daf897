// What somebody wants a machine to be, as the options of `vm run` and the files of `vm up` have it: texts
// that are made settings of when the machine is made.
#pragma once

#include <string>
#include <vector>

namespace imgforge::machines {

struct Wishes {
  std::string source;     ///< a release, a base (vm base), or the path of an image
  std::string disk_size;  ///< "20G"; empty: as large as what it stands on
  std::string memory;     ///< "512M"; empty: what the release needs
  unsigned cpus = 0;      ///< 0: likewise
  std::vector<std::string> forwards;
  std::vector<std::string> shares;
  std::string network = "user";
  std::vector<std::string> networks;  ///< further ones, of machines
  std::string firmware = "bios";
  bool graphics = false;
  std::string restart = "never";
  std::string autoscale;  ///< "256M..1G:15%"
  std::string hook;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("source", self.source);
    visit("disk_size", self.disk_size);
    visit("memory", self.memory);
    visit("cpus", self.cpus);
    visit("forwards", self.forwards);
    visit("shares", self.shares);
    visit("network", self.network);
    visit("networks", self.networks);
    visit("firmware", self.firmware);
    visit("graphics", self.graphics);
    visit("restart", self.restart);
    visit("autoscale", self.autoscale);
    visit("hook", self.hook);
  }
};

}  // namespace imgforge::machines
