// The options of `vm run` about the machine itself, as the command line has them.
#include "builder/cli/trust/keys.hpp"
#include "builder/cli/vm/machine_options.hpp"

namespace imgforge::cli {

void declare_machine_options(OptionSet& set, MachineOptions& options) {
  set.option("--cpus", options.cpus, "processors [what the release needs]").between(1, 255);
  set.option("--memory", options.memory, "such as 512M [what the release needs, at least 256M]");
  set.option("--max-cpus", options.max_cpus, "processors that vm resize may give it while it runs")
      .between(1, 255);
  set.option("--max-memory", options.max_memory, "memory likewise");
  set.option("--disk-size", options.disk_size, "make the machine's disk that large, such as 20G");
  set.option("--forward", options.forwards,
             "lead a port of this host into the machine: [ADDRESS:]PORT:PORT[/udp]; repeatable");
  set.option("--share", options.shares,
             "show a folder to the machine by 9p as \"shared\", \"shared1\", ...: DIR[:ro][:virtiofs], the "
             "latter by virtiofs; repeatable");
  set.option(
         "--network", options.network,
         "user (leads out, nothing leads in but --forward), none, or bridge=NAME: a bridge of this host that "
         "/etc/qemu/bridge.conf allows")
      .show_default();
  set.option("--join", options.networks,
             "a network card more, in a network of your machines that has this name; repeatable");
  set.option("--firmware", options.firmware,
             "bios, uefi, secure-boot, or kernel: none, the release's kernel is started at once; auto: "
             "kernel where no later one can be on the disk, else bios")
      .one_of({"auto", "kernel", "bios", "uefi", "secure-boot"})
      .show_default();
  set.option("--secure-boot-keys", options.secure_boot_keys,
             "with --firmware secure-boot: name or folder of the keys that its firmware trusts");
  set.flag("--graphics", options.graphics, "give it a screen, for vm screenshot");
  set.option("--restart", options.restart, "start it again when it fails: never or on-failure")
      .one_of({"never", "on-failure"})
      .show_default();
  set.flag("--autostart", options.autostart, "let imgforge vm start --autostart start it");
  set.option("--autoscale", options.autoscale,
             "memory that follows what it needs: 256M..1G:15% gives more when less than 15 % is free");
  set.option("--hook", options.hook, "program or URL that is called with each event of the machine, as JSON");
  set.option("--base", options.base,
             "release or base (vm base) when none is named; for the configuration file");
  set.option("--from-iso", options.iso,
             "start this ISO image beside an empty disk of 8G, in place of a release");
  declare_public_keys(set, options.public_keys);
}

}  // namespace imgforge::cli
