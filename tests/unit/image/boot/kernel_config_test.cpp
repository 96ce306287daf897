// What a kernel can do of what machines need: its configuration, and the modules that are in the image.
#include "builder/image/boot/kernel_config.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::fake_kernel;
using testing::TarBuilder;

constexpr const char* kConfig =
    "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_CC_VERSION_TEXT=\"gcc (Debian) # 12\"\n"
    "CONFIG_HOTPLUG_CPU=y\nCONFIG_ACPI_HOTPLUG_CPU=y\nCONFIG_MEMORY_HOTPLUG=y\n"
    "# CONFIG_ACPI_HOTPLUG_MEMORY is not set\nCONFIG_VIRTIO_BALLOON=m\nCONFIG_VIRTIO_MEM=m\n"
    "CONFIG_VIRTIO_CONSOLE=y\nCONFIG_FUSE_FS=y\nCONFIG_VIRTIO_FS=m\nCONFIG_NET_9P=m\n"
    "CONFIG_NET_9P_VIRTIO=m\nCONFIG_9P_FS=m\nCONFIG_NR_CPUS=64\n";

TEST(KernelConfig, SaysWhatIsBuiltInAndWhatIsAModule) {
  const auto config = KernelConfig::parse(kConfig);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->at("HOTPLUG_CPU"), ConfigValue::kYes);
  EXPECT_EQ(config->at("VIRTIO_MEM"), ConfigValue::kModule);
  EXPECT_EQ(config->at("ACPI_HOTPLUG_MEMORY"), ConfigValue::kNo);
  EXPECT_EQ(config->at("OF_NOBODY"), ConfigValue::kNo);
  EXPECT_EQ(config->at("NR_CPUS"), ConfigValue::kYes);
}

TEST(KernelConfig, AnythingElseIsNone) {
  for (const char* text :
       {"", "\n", "# only a comment\n", "hello\n", "CONFIG_A\n", "CONFIG_A=\n", "CONFIG_=y\n", "A=y\n",
        "CONFIG_A=y\nCONFIG_A=y\n", "CONFIG_A=y\n# CONFIG_A is not set\n", "CONFIG_A B=y\n", " CONFIG_A=y\n",
        "CONFIG_A-B=y\n", "CONFIG_A=y\nrm -rf /\n"})
    EXPECT_FALSE(KernelConfig::parse(text)) << text;
  EXPECT_FALSE(KernelConfig::parse("CONFIG_" + std::string(101, 'A') + "=y\n"));
  EXPECT_FALSE(KernelConfig::parse("CONFIG_A=y\n" + std::string(4u << 20, '\n')));
  EXPECT_TRUE(KernelConfig::parse("CONFIG_A=y"));
}

class KernelFeaturesTest : public testing::ImageTest {
 protected:
  artifacts::KernelFeatures of(const std::string& config, const std::vector<std::string>& left_out = {}) {
    const std::string folder = "lib/modules/6.6.1-virt";
    const std::vector<std::string> modules{"9pnet",          "9pnet_virtio", "9p",
                                           "virtio_balloon", "virtio_mem",   "virtiofs"};
    std::string dep;
    for (const std::string& module : modules)
      dep += "kernel/" + module + ".ko:" + (module == "9p" ? " kernel/9pnet.ko" : "") + "\n";
    TarBuilder tar(path("rootfs.tar"));
    tar.directory("boot").file("boot/vmlinuz-virt", fake_kernel("6.6.1-virt"));
    if (!config.empty()) tar.file("boot/config-virt", config);
    tar.directory("lib").directory("lib/modules").directory(folder).file(folder + "/modules.dep", dep);
    tar.directory(folder + "/kernel");
    for (const std::string& module : modules) {
      if (std::find(left_out.begin(), left_out.end(), module) == left_out.end())
        tar.file(folder + "/kernel/" + module + ".ko", "x");
    }
    tar.finish();
    const RootfsArchive rootfs(path("rootfs.tar"));
    return kernel_features(rootfs, find_kernels(rootfs, {}, 1).front());
  }
};

TEST_F(KernelFeaturesTest, AreWhatConfigurationAndModulesSay) {
  const artifacts::KernelFeatures features = of(kConfig);
  const artifacts::KernelFeatures expected{{"9p", true},
                                           {"balloon", true},
                                           {"cpu-hotplug", true},
                                           {"memory-hotplug", false},
                                           {"virtio-console", true},
                                           {"virtio-mem", true},
                                           {"virtiofs", true}};
  EXPECT_EQ(features, expected);
  EXPECT_EQ(artifacts::features_text(features),
            "9p, balloon, cpu-hotplug, virtio-console, virtio-mem, virtiofs; no memory-hotplug");
}

TEST_F(KernelFeaturesTest, AModuleWhoseFileIsNotInTheImageLacks) {
  EXPECT_FALSE(of(kConfig, {"virtio_balloon"}).at("balloon"));
  EXPECT_FALSE(of(kConfig, {"9pnet"}).at("9p")) << "what 9p depends on";
  EXPECT_TRUE(of(kConfig, {"virtio_balloon"}).at("9p"));
  EXPECT_FALSE(of("CONFIG_VIRTIO_CONSOLE=m\n").at("virtio-console")) << "modules.dep does not know it";
  EXPECT_FALSE(of("CONFIG_HOTPLUG_CPU=m\nCONFIG_ACPI_HOTPLUG_CPU=y\n").at("cpu-hotplug"));
}

TEST_F(KernelFeaturesTest, AKernelWithoutConfigurationIsUnknownAndNotLacking) {
  EXPECT_TRUE(of("").empty());
  EXPECT_TRUE(of("this is no configuration\n").empty());
  EXPECT_EQ(artifacts::features_text({}), "");
}

}  // namespace
}  // namespace imgforge::image
