#include "checkpoint/disk_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "checkpoint/checksum.h"
#include "tape/error.h"

namespace adjoint::checkpoint {

namespace {

constexpr char kPrefix[] = "adjoint-checkpoints-";
constexpr char kSuffix[] = ".checkpoint";
constexpr char kTemporary[] = "writing.tmp";
constexpr char kMagic[8] = {'a', 'd', 'j', 'c', 'k', 'p', 't', '\n'};
constexpr std::uint32_t kVersion = 1;

[[noreturn]] void fail(const std::string& directory, const char* what, int error) {
  throw Error(ErrorCode::Data, "checkpoints can not be kept in " + directory + ": " + what + ": " +
                                   std::strerror(error));
}

bool startsWith(const char* text, const char* start) {
  return std::strncmp(text, start, std::strlen(start)) == 0;
}

bool isOurs(const char* file) {
  const std::size_t length = std::strlen(file), suffix = std::strlen(kSuffix);
  return std::strcmp(file, kTemporary) == 0 ||
         (length > suffix && std::strcmp(file + length - suffix, kSuffix) == 0);
}

/// What a file is called; long enough for any slot.
struct Name {
  explicit Name(std::int32_t slot) { std::snprintf(text, sizeof text, "%d%s", slot, kSuffix); }
  char text[32];
};

int openDirectory(int parent, const char* name) {
  return ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// Calls `visit` with the name of each entry. The descriptor stays open.
template <class Visit>
void forEachEntry(int directory, const Visit& visit) {
  // A description of its own, because reading moves its place.
  const int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = own < 0 ? nullptr : ::fdopendir(own);
  if (entries == nullptr) {
    if (own >= 0) ::close(own);
    return;
  }
  while (const dirent* entry = ::readdir(entries)) visit(entry->d_name);
  ::closedir(entries);
}

/// Removes our files, and nothing else.
void empty(int directory) {
  forEachEntry(directory, [&](const char* name) {
    if (isOurs(name)) ::unlinkat(directory, name, 0);
  });
}

int lock(int descriptor, int how) {
  int result = 0;
  do {
    result = ::flock(descriptor, how);
  } while (result != 0 && errno == EINTR);
  return result;
}

/// Removes the directories of runs whose processes are dead, which is to say that nobody has locked
/// them. A directory with a file that is not ours stays.
void removeStale(int parent) {
  forEachEntry(parent, [&](const char* name) {
    if (!startsWith(name, kPrefix)) return;
    const int stale = openDirectory(parent, name);
    if (stale < 0) return;
    if (lock(stale, LOCK_EX | LOCK_NB) == 0) {
      empty(stale);
      ::unlinkat(parent, name, AT_REMOVEDIR);
    }
    ::close(stale);
  });
}

std::uint64_t newRun() {
  static std::atomic<std::uint64_t> stores{0};
  const std::uint64_t parts[3] = {
      static_cast<std::uint64_t>(::getpid()),
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()),
      ++stores};
  return checksum(std::as_bytes(std::span(parts)), 0);
}

/// Reads or writes all of the parts; 0, errno, or -1 at the end of the file.
template <class Move>
int moveAll(const Move& move, int file, iovec* parts, int count) {
  while (true) {
    while (count > 0 && parts->iov_len == 0) ++parts, --count;
    if (count == 0) return 0;
    const ssize_t moved = move(file, parts, count);
    if (moved < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (moved == 0) return -1;
    auto left = static_cast<std::size_t>(moved);
    for (int i = 0; i < count && left > 0; ++i) {
      const std::size_t taken = std::min(left, parts[i].iov_len);
      parts[i].iov_base = static_cast<char*>(parts[i].iov_base) + taken;
      parts[i].iov_len -= taken;
      left -= taken;
    }
  }
}

iovec part(const void* data, std::size_t bytes) { return {const_cast<void*>(data), bytes}; }

}  // namespace

struct DiskStore::Header {
  char magic[8];
  std::uint32_t version;
  std::int32_t slot;
  std::uint64_t run;
  std::int64_t state, bytes;
  std::uint64_t checksum;  ///< of what is before it
};

DiskStore::Header DiskStore::headerOf(std::int32_t slot, std::int64_t state) const {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.slot = slot;
  header.run = run_;
  header.state = state;
  header.bytes = bytes_;
  const auto bytes = std::as_bytes(std::span(&header, 1));
  static_assert(sizeof header + sizeof header.checksum == kFileOverhead, "there is no padding");
  header.checksum = checkpoint::checksum(bytes.first(offsetof(Header, checksum)), run_);
  return header;
}

DiskStore::DiskStore(const std::string& directory, std::int64_t bytes)
    : bytes_(bytes), run_(newRun()) {
  if (bytes < 0) {
    throw Error(ErrorCode::Argument,
                "a checkpoint can not have " + std::to_string(bytes) + " bytes");
  }
  char name[sizeof kPrefix + 16];
  std::snprintf(name, sizeof name, "%s%016llx", kPrefix, static_cast<unsigned long long>(run_));
  path_ = directory + "/" + name;
  parent_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent_ < 0) fail(directory, "it can not be opened", errno);
  // From here on the destructor does not run when something fails.
  const auto giveUp = [&](const char* what) {
    const int error = errno;
    if (directory_ >= 0) ::close(directory_);
    ::unlinkat(parent_, name, AT_REMOVEDIR);
    ::close(parent_);
    fail(directory, what, error);
  };
  if (lock(parent_, LOCK_EX) != 0) giveUp("it can not be locked");
  removeStale(parent_);
  if (::mkdirat(parent_, name, 0700) != 0) giveUp("no directory can be made in it");
  directory_ = openDirectory(parent_, name);
  if (directory_ < 0) giveUp("the directory made in it can not be opened");
  if (lock(directory_, LOCK_EX | LOCK_NB) != 0)
    giveUp("the directory made in it can not be locked");
  lock(parent_, LOCK_UN);
}

DiskStore::~DiskStore() {
  empty(directory_);
  const std::size_t name = path_.rfind('/') + 1;
  ::unlinkat(parent_, path_.c_str() + name, AT_REMOVEDIR);
  ::close(directory_);
  ::close(parent_);
}

int DiskStore::writeFile(const char* name, const Header& header, std::span<const std::byte> data) {
  const int file =
      ::openat(directory_, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  const std::uint64_t sum = checksum(data, header.checksum);
  const bool fails = writesToFailure_ == 0;
  if (writesToFailure_ >= 0) --writesToFailure_;
  iovec parts[] = {part(&header, sizeof header),
                   part(data.data(), fails ? data.size() / 2 : data.size()),
                   part(&sum, sizeof sum)};
  int error = moveAll(::writev, file, parts, fails ? 2 : 3);
  if (fails && error == 0) error = failure_;
  // Some file systems say only now that there is no space.
  if (::close(file) != 0 && error == 0 && errno != EINTR) error = errno;
  return error < 0 ? EIO : error;
}

WriteResult DiskStore::write(std::int32_t slot, std::int64_t state,
                             std::span<const std::byte> data) {
  int error = EINVAL;
  const Name name(slot);
  if (data.size() == static_cast<std::size_t>(bytes_)) {
    error = writeFile(kTemporary, headerOf(slot, state), data);
    if (error == 0 && ::renameat(directory_, kTemporary, directory_, name.text) != 0) error = errno;
  }
  if (error == 0) return {};
  ::unlinkat(directory_, kTemporary, 0);
  ::unlinkat(directory_, name.text, 0);
  const bool isFull = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {isFull ? WriteStatus::Full : WriteStatus::Failed, error};
}

ReadResult DiskStore::read(std::int32_t slot, std::int64_t state, std::span<std::byte> data) {
  if (data.size() != static_cast<std::size_t>(bytes_)) return {ReadStatus::Missing, EINVAL};
  const Name name(slot);
  const int file = ::openat(directory_, name.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return {ReadStatus::Missing, errno};
  const Header expected = headerOf(slot, state);
  Header header{};
  std::uint64_t sum = 0;
  iovec parts[] = {part(&header, sizeof header), part(data.data(), data.size()),
                   part(&sum, sizeof sum)};
  struct stat about{};
  int error = ::fstat(file, &about) != 0 ? errno : 0;
  if (error == 0 && about.st_size != kFileOverhead + bytes_) error = -1;
  if (error == 0) error = moveAll(::readv, file, parts, 3);
  ::close(file);
  if (error != 0) return {ReadStatus::Torn, std::max(error, 0)};
  if (std::memcmp(&header, &expected, sizeof header) != 0 ||
      sum != checksum(data, expected.checksum)) {
    return {ReadStatus::Corrupt, 0};
  }
  return {};
}

void DiskStore::remove(std::int32_t slot) { ::unlinkat(directory_, Name(slot).text, 0); }

}  // namespace adjoint::checkpoint
