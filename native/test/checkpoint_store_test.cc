#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/checksum.h"
#include "checkpoint/disk_store.h"
#include "tape/error.h"

namespace adjoint::testing {
namespace {

using namespace checkpoint;
namespace fs = std::filesystem;

using Bytes = std::vector<std::byte>;

Bytes randomBytes(std::size_t size, std::mt19937_64& random) {
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

/// A directory of its own for each test, which must be empty in the end.
class CheckpointStore : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "adjoint-store-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override {
    EXPECT_TRUE(!fs::exists(folder) || fs::is_empty(folder)) << "something is left";
    fs::remove_all(folder);
  }

  std::string folder;
  std::mt19937_64 random{42};
};

std::size_t filesIn(const std::string& path) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

std::string fileOf(const DiskStore& store, int slot) {
  return store.path() + "/" + std::to_string(slot) + ".checkpoint";
}

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void setContent(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

void setByte(const std::string& path, std::size_t at, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at)).put(byte);
}

TEST_F(CheckpointStore, ReadsWhatWasWritten) {
  for (const std::size_t size : {0, 1, 7, 8, 31, 32, 33, 4096, 1000003}) {
    DiskStore store(folder, static_cast<std::int64_t>(size));
    Bytes written[3], read(size);
    for (int slot = 0; slot < 3; ++slot) {
      written[slot] = randomBytes(size, random);
      EXPECT_EQ(store.write(slot, 10 * slot, written[slot]).status, WriteStatus::Ok);
    }
    written[1] = randomBytes(size, random);
    EXPECT_EQ(store.write(1, 11, written[1]).status, WriteStatus::Ok);
    EXPECT_EQ(filesIn(store.path()), 3u);
    EXPECT_EQ(fs::file_size(fileOf(store, 0)), size + kFileOverhead);
    for (const auto& [slot, state] : {std::pair{0, 0}, {1, 11}, {2, 20}}) {
      EXPECT_EQ(store.read(slot, state, read).status, ReadStatus::Ok);
      EXPECT_EQ(read, written[slot]);
    }
    EXPECT_EQ(store.read(1, 10, read).status, ReadStatus::Corrupt);
    EXPECT_EQ(store.read(3, 30, read).status, ReadStatus::Missing);
    store.remove(2);
    store.remove(2);
    EXPECT_EQ(store.read(2, 20, read).status, ReadStatus::Missing);
    EXPECT_EQ(filesIn(store.path()), 2u);
  }
}

TEST_F(CheckpointStore, NoticesEveryFlippedByte) {
  constexpr std::size_t kSize = 2000;
  DiskStore store(folder, kSize);
  const Bytes written = randomBytes(kSize, random);
  Bytes read(kSize);
  ASSERT_EQ(store.write(0, 5, written).status, WriteStatus::Ok);
  const std::string path = fileOf(store, 0), good = contentOf(path);
  for (int i = 0; i < 1000; ++i) {
    // Every byte of header and checksum, and bytes in between by chance.
    const std::size_t at = i < 48   ? i
                           : i < 56 ? good.size() - 1 - (i - 48)
                                    : random() % good.size();
    setByte(path, at, static_cast<char>(good[at] ^ static_cast<char>(1 + random() % 255)));
    ASSERT_EQ(store.read(0, 5, read).status, ReadStatus::Corrupt) << "byte " << at;
    setByte(path, at, good[at]);
  }
  for (int i = 0; i < 200; ++i) {
    const std::size_t size = i == 0 ? 0 : random() % good.size();
    setContent(path, good.substr(0, size));
    ASSERT_EQ(store.read(0, 5, read).status, ReadStatus::Torn) << size << " bytes";
  }
  setContent(path, good + '\0');
  EXPECT_EQ(store.read(0, 5, read).status, ReadStatus::Torn);
  setContent(path, good);
  EXPECT_EQ(store.read(0, 5, read).status, ReadStatus::Ok);
  EXPECT_EQ(read, written);
  fs::remove(path);
  EXPECT_EQ(store.read(0, 5, read).status, ReadStatus::Missing);
}

TEST_F(CheckpointStore, KnowsItsOwnFiles) {
  DiskStore one(folder, 16), other(folder, 16);
  Bytes bytes = randomBytes(16, random);
  ASSERT_EQ(one.write(0, 1, bytes).status, WriteStatus::Ok);
  ASSERT_EQ(one.write(1, 1, bytes).status, WriteStatus::Ok);
  fs::copy(fileOf(one, 0), fileOf(other, 0));
  EXPECT_EQ(other.read(0, 1, bytes).status, ReadStatus::Corrupt);
  fs::rename(fileOf(one, 0), fileOf(one, 1));
  EXPECT_EQ(one.read(1, 1, bytes).status, ReadStatus::Corrupt);
  // A link in the place of a file is not followed.
  fs::create_symlink(fileOf(other, 0), fileOf(one, 2));
  EXPECT_EQ(one.read(2, 1, bytes).status, ReadStatus::Missing);
  EXPECT_EQ(one.write(3, 1, Bytes(15)).status, WriteStatus::Failed);
  EXPECT_EQ(one.read(1, 1, std::span(bytes).first(15)).status, ReadStatus::Missing);
}

TEST_F(CheckpointStore, LeavesNothingOfAFailedWrite) {
  DiskStore store(folder, 1000);
  Bytes bytes = randomBytes(1000, random);
  for (const auto& [error, status] : {std::pair{ENOSPC, WriteStatus::Full},
                                      {EDQUOT, WriteStatus::Full},
                                      {EFBIG, WriteStatus::Full},
                                      {EIO, WriteStatus::Failed}}) {
    store.failWrite(2, error);
    EXPECT_EQ(store.write(0, 1, bytes).status, WriteStatus::Ok);
    EXPECT_EQ(store.write(1, 2, bytes).status, WriteStatus::Ok);
    const WriteResult result = store.write(0, 3, bytes);
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.error, error);
    EXPECT_EQ(filesIn(store.path()), 1u);
    EXPECT_EQ(store.read(0, 1, bytes).status, ReadStatus::Missing);
    EXPECT_EQ(store.read(0, 3, bytes).status, ReadStatus::Missing);
    EXPECT_EQ(store.read(1, 2, bytes).status, ReadStatus::Ok);
    EXPECT_EQ(store.write(0, 4, bytes).status, WriteStatus::Ok);
  }
}

/// Runs in a child, which ends with the number of what went wrong.
template <class Body>
int inAChild(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// The system itself ends a write in the middle: a limit on the size of files.
TEST_F(CheckpointStore, IsToldOfALimit) {
  EXPECT_EQ(inAChild([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{20000, 20000};
              if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
              DiskStore store(folder, 30000);
              const Bytes bytes(30000);
              if (store.write(0, 0, bytes).status != WriteStatus::Full) return 2;
              if (filesIn(store.path()) != 0) return 3;
              return 0;
            }),
            0);
}

TEST_F(CheckpointStore, LosesItsDirectory) {
  Bytes bytes = randomBytes(100, random);
  {
    DiskStore store(folder, 100);
    EXPECT_EQ(store.write(0, 1, bytes).status, WriteStatus::Ok);
    fs::remove_all(store.path());
    EXPECT_EQ(store.read(0, 1, bytes).status, ReadStatus::Missing);
    const WriteResult result = store.write(0, 1, bytes);
    EXPECT_EQ(result.status, WriteStatus::Failed);
    EXPECT_EQ(result.error, ENOENT);
  }
  {
    DiskStore store(folder, 100);
    fs::remove_all(folder);
    EXPECT_EQ(store.write(0, 1, bytes).status, WriteStatus::Failed);
  }
  try {
    DiskStore store(folder, 100);
    FAIL() << "there is no such directory";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Data);
    EXPECT_NE(error.message().find(folder), std::string::npos);
  }
  EXPECT_THROW(DiskStore refused(folder, -1), Error);
}

TEST_F(CheckpointStore, RemovesWhatDeadProcessesLeft) {
  const Bytes bytes(64);
  DiskStore here(folder, 64);
  ASSERT_EQ(here.write(0, 0, bytes).status, WriteStatus::Ok);
  // Killed in the middle: neither destructors nor handlers run.
  EXPECT_EQ(inAChild([&] {
              auto* store = new DiskStore(folder, 64);
              if (store->write(0, 0, bytes).status != WriteStatus::Ok) return 1;
              setContent(store->path() + "/writing.tmp", "half");
              ::raise(SIGKILL);
              return 2;
            }),
            1000 + SIGKILL);
  // A live process, which waits for a word.
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready) + ::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char word = 0;
    DiskStore store(folder, 64);
    const bool isFine = store.write(7, 7, bytes).status == WriteStatus::Ok;
    if (::write(ready[1], &word, 1) != 1 || ::read(done[0], &word, 1) != 1) ::_exit(1);
    Bytes read(64);
    const int result = isFine && store.read(7, 7, read).status == ReadStatus::Ok ? 0 : 2;
    store.~DiskStore();
    ::_exit(result);
  }
  char word = 0;
  ASSERT_EQ(::read(ready[0], &word, 1), 1);
  // The child has removed what the dead one left: it and this process remain.
  EXPECT_EQ(filesIn(folder), 2u);
  fs::create_directory(folder + "/adjoint-checkpoints-dead");
  setContent(folder + "/adjoint-checkpoints-dead/3.checkpoint", "old");
  fs::create_directory(folder + "/adjoint-checkpoints-others");
  setContent(folder + "/adjoint-checkpoints-others/precious.txt", "not ours");
  setContent(folder + "/9.checkpoint", "not in a directory of ours");
  {
    DiskStore next(folder, 64);
    EXPECT_FALSE(fs::exists(folder + "/adjoint-checkpoints-dead"));
    EXPECT_EQ(contentOf(folder + "/adjoint-checkpoints-others/precious.txt"), "not ours");
    EXPECT_TRUE(fs::exists(folder + "/9.checkpoint"));
    EXPECT_EQ(filesIn(folder), 5u);
  }
  ASSERT_EQ(::write(done[1], &word, 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  Bytes read(64);
  EXPECT_EQ(here.read(0, 0, read).status, ReadStatus::Ok);
  fs::remove_all(folder + "/adjoint-checkpoints-others");
  fs::remove(folder + "/9.checkpoint");
  for (const int end : {ready[0], ready[1], done[0], done[1]}) ::close(end);
}

/// Any change within an aligned word is noticed, by construction; and the order of words matters.
TEST(CheckpointChecksum, DiffersWhereBytesDo) {
  std::mt19937_64 random(7);
  for (std::size_t size = 1; size <= 100; ++size) {
    Bytes bytes = randomBytes(size, random);
    const std::uint64_t good = checksum(bytes, 1);
    EXPECT_NE(good, checksum(bytes, 2));
    for (std::size_t i = 0; i < size; ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        bytes[i] ^= static_cast<std::byte>(1 << bit);
        ASSERT_NE(checksum(bytes, 1), good) << size << " " << i << " " << bit;
        bytes[i] ^= static_cast<std::byte>(1 << bit);
      }
    }
    if (size >= 16) {
      std::swap_ranges(bytes.begin(), bytes.begin() + 8, bytes.begin() + 8);
      EXPECT_NE(checksum(bytes, 1), good);
    }
    bytes.push_back(std::byte{0});
    EXPECT_NE(checksum(bytes, 1), good);
  }
}

}  // namespace
}  // namespace adjoint::testing
