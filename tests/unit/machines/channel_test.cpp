#include "builder/machines/control/channel.hpp"

#include <sys/socket.h>

#include <array>

#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

struct Ends {
  core::Fd mine;
  core::Fd other;
};

Ends pair() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {core::Fd(fds[0]), core::Fd(fds[1])};
}

TEST(Channel, ReadsWhatWasSentBeforeTheOtherEndWentAlsoWhileItWrites) {
  Ends ends = pair();
  Channel channel(std::move(ends.mine), 1000);
  channel.send("what nobody reads");
  core::write_all(ends.other.get(), "typed", "the socket");
  ends.other.reset();
  channel.send("more");
  channel.work();
  EXPECT_EQ(channel.take_all(), "typed");
  channel.work();
  EXPECT_TRUE(channel.is_closed());
}

TEST(Channel, ALineThatIsTooLongClosesIt) {
  Ends ends = pair();
  Channel channel(std::move(ends.mine), 10);
  core::write_all(ends.other.get(), "short\nmuch too long for this", "the socket");
  channel.work();
  EXPECT_EQ(channel.next_line(), "short");
  EXPECT_FALSE(channel.next_line());
  EXPECT_TRUE(channel.is_closed());
}

}  // namespace
}  // namespace imgforge::machines
