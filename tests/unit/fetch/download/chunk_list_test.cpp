#include "builder/fetch/download/chunk_list.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "support/download_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::DownloadLab;
using testing::error_of;
using testing::pattern;

constexpr std::uint64_t kChunk = 4096;

class ChunkTest : public DownloadLab {
 protected:
  void SetUp() override {
    server_.put("data", content_);
    core::write_file_atomically(lab_.folder / "good", content_);
    list_ = make_chunks(lab_.folder / "good", kChunk);
  }
  Download listed(const std::string& path) {
    Download wanted = download(path, content_);
    wanted.chunks = list_;
    return wanted;
  }

  const std::string content_ = pattern(50'000);
  ChunkList list_;
};

TEST_F(ChunkTest, TextComesBackAsItWas) {
  const ChunkList again = parse_chunks(print_chunks(list_), "list");
  EXPECT_EQ(again.size, 50'000u);
  EXPECT_EQ(again.chunk, kChunk);
  EXPECT_EQ(again.digests, list_.digests);
  EXPECT_EQ(again.digests.size(), 13u);
  EXPECT_EQ(again.range_of(12).size(), 50'000u - 12 * kChunk);
  EXPECT_TRUE(parse_chunks("imgforge-chunks 1\nsize 0\nchunk 4096\n", "list").digests.empty());
}

TEST_F(ChunkTest, MalformedListsAreRefused) {
  const std::string good = print_chunks(list_);
  const auto refused = [](const std::string& text) {
    const core::Error error = error_of([&] { parse_chunks(text, "the list"); });
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << text.substr(0, 80);
    EXPECT_EQ(error.message().find("the list: "), 0u) << error.message();
  };
  refused("");
  refused("imgforge-chunks 2\n" + good.substr(18));
  refused(good + good.substr(good.size() - 65));
  refused(good.substr(0, good.size() - 65));
  refused(good.substr(0, good.size() - 2) + "\n");
  refused("imgforge-chunks 1\nsize -1\nchunk 4096\n");
  refused("imgforge-chunks 1\nsize 10\nchunk 0\n");
  refused("imgforge-chunks 1\nsize 18446744073709551615\nchunk 4096\n");
  refused("imgforge-chunks 1\nsize 10x\nchunk 4096\n" + std::string(64, 'a') + "\n");
}

TEST_F(ChunkTest, OnlyTheBadChunkIsFetchedAgain) {
  Download wanted = listed("/x/chunk-20/data");  // byte 20480 is wrong: the sixth chunk
  wanted.urls.push_back(server_.url("/data"));
  expect_good(wanted, content_);
  EXPECT_EQ(ranges_since(0), (std::vector<std::string>{"", "bytes=20480-24575"}));
  EXPECT_EQ(server_.requests().back(), "GET /data bytes=20480-24575") << "the other mirror is asked";
  ASSERT_EQ(lab_.progress.warnings.size(), 1u);
  EXPECT_NE(lab_.progress.warnings[0].find("1 of 13 chunks are damaged"), std::string::npos);
}

TEST_F(ChunkTest, AMirrorThatIsAlwaysWrongIsGivenUp) {
  const core::Error error = failure(listed("/x/chunk-20/data"));
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_LE(server_.requests().size(), 6u);
  EXPECT_EQ(lab_.stored(), 0u);
}

TEST_F(ChunkTest, AListThatContradictsTheDigestDecidesNothing) {
  Download wanted = listed("/data");
  wanted.chunks->digests[3] = testing::sha256_of("something else");
  expect_good(wanted, content_);  // the digest of the whole is right: nobody looks at the list
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(ChunkTest, ARottenBlobCostsItsBadChunksOnly) {
  Download wanted = listed("/data");
  const artifacts::VerifiedFile blob = Downloader(lab_.context).fetch(wanted);
  std::string rotten = content_;
  rotten[20'480] = static_cast<char>(rotten[20'480] ^ 1);
  rotten.resize(49'000);  // and the last chunk is cut
  std::filesystem::permissions(blob.path(), std::filesystem::perms::owner_all);
  core::write_file_atomically(blob.path(), rotten);
  const std::size_t before = server_.requests().size();
  expect_good(wanted, content_);
  EXPECT_EQ(ranges_since(before), (std::vector<std::string>{"bytes=20480-24575", "bytes=45056-49999"}));
}

TEST_F(ChunkTest, AGoodDownloadLeavesAListThatServesTheNext) {
  const std::string large = testing::pattern(65 << 20);
  server_.put("large", large);
  Download wanted =
      download("/x/rate-20000000/large", large);  // in four ranges slow enough to hash chunks, too
  HttpOptions patient;                            // a large file is read by the server before it answers
  patient.backoff = std::chrono::milliseconds(5);
  lab_.http = make_http(patient, lab_.cancel);
  Context context{*lab_.http, lab_.blobs, lab_.progress, lab_.cancel, lab_.context.cache};
  const artifacts::VerifiedFile blob = Downloader(context).fetch(wanted);
  const std::filesystem::path list = lab_.context.cache / "chunks" / (blob.digest().hex() + ".chunks");
  ASSERT_TRUE(std::filesystem::exists(list));
  EXPECT_EQ(core::read_text_file(list), print_chunks(make_chunks(blob.path())));
  std::filesystem::permissions(blob.path(), std::filesystem::perms::owner_all);
  {
    const core::Fd fd = core::open_file(blob.path(), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "rot", 3, 10 << 20), 3);
  }
  const std::size_t before = server_.requests().size();
  Downloader(context).fetch(download("/large", large));
  EXPECT_EQ(ranges_since(before), std::vector<std::string>{"bytes=8388608-12582911"});
}

}  // namespace
}  // namespace imgforge::fetch
