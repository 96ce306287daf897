#include "core/handle.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace imgforge::core {
namespace {

/// A library's object that counts how often it was given back.
struct Thing {
  int freed = 0;
};

int thing_free(Thing* thing) noexcept {
  ++thing->freed;
  return -1;  // nobody is told
}

using ThingHandle = Handle<&thing_free>;

static_assert(sizeof(ThingHandle) == sizeof(Thing*));
static_assert(std::is_same_v<ThingHandle::element_type, Thing>);
static_assert(std::is_same_v<Handle<&std::fclose>::element_type, std::FILE>);
static_assert(std::is_same_v<Handle<&std::free, char>::pointer, char*>);

TEST(Handle, GivesBackOnce) {
  Thing thing;
  {
    ThingHandle first(&thing);
    const ThingHandle second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(second.get(), &thing);
    EXPECT_EQ(thing.freed, 0);
  }
  EXPECT_EQ(thing.freed, 1);
  { const ThingHandle none; }
  { EXPECT_EQ(ThingHandle(&thing).release(), &thing); }
  EXPECT_EQ(thing.freed, 1);
}

}  // namespace
}  // namespace imgforge::core
