// The server, asked by imgforge's own HTTP client.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <thread>

#include "builder/fetch/http/http.hpp"
#include "builder/serve/server.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {
namespace {

TEST(ServeFetch, OurClientFetchesAndRevalidates) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-serve");
  const std::string content(5'000'000, 'x');
  core::Fd file = core::open_file(folder / "file.bin", O_WRONLY | O_CREAT | O_EXCL);
  core::write_all(file.get(), content, "file.bin");
  serve::ServerOptions options;
  options.folder = folder.path();
  options.port = 0;
  serve::Server server(options);
  const core::CancelToken stop;
  std::thread thread([&] { EXPECT_THROW(server.run(stop), core::Error); });
  const auto http = fetch::make_http({}, {});
  fetch::TextSink sink;
  fetch::Request request;
  request.url = server.url() + "file.bin";
  request.size = content.size();
  const fetch::Response first = http->fetch(request, sink);
  EXPECT_EQ(sink.text(), content);
  EXPECT_FALSE(first.validators.etag.empty());
  request.known = first.validators;
  EXPECT_EQ(http->fetch(request, sink).freshness, fetch::Freshness::kNotModified);
  core::write_all(file.get(), "more", "file.bin");
  request.size.reset();
  fetch::TextSink again;
  EXPECT_EQ(http->fetch(request, again).freshness, fetch::Freshness::kFetched);
  EXPECT_EQ(again.text(), content + "more");
  request.url = server.url() + "missing";
  EXPECT_THROW(http->fetch(request, sink), core::Error);
  stop.cancel();
  thread.join();
}

}  // namespace
}  // namespace imgforge::cli
