#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace adjoint::checkpoint {

/// The bytes of a file beside its data.
inline constexpr std::int64_t kFileOverhead = 56;

enum class WriteStatus : std::uint8_t {
  Ok,
  Full,    ///< no space, no quota, or a file larger than is allowed
  Failed,  ///< otherwise
};
/// Whatever is not Ok left the slot empty.
struct WriteResult {
  WriteStatus status = WriteStatus::Ok;
  int error = 0;  ///< errno
};

enum class ReadStatus : std::uint8_t {
  Ok,
  Missing,  ///< there is no file, or it can not be opened
  Torn,     ///< the file is shorter or longer than what was written, or can not be read to its end
  Corrupt,  ///< it is not what was written: another slot, state or run, or a wrong checksum
};
/// The bytes are unspecified unless Ok.
struct ReadResult {
  ReadStatus status = ReadStatus::Ok;
  int error = 0;  ///< errno, where there is one
};

/// Checkpoints on disk, a file for each, in a directory of this run's own below one that the user
/// names. Nothing is allocated by reading and writing, and nothing is thrown: data goes to the file
/// from where it is and back.
///
/// A file is a header (magic, version, run, slot, state, bytes, checksum of the header), the data,
/// and its checksum. It is written to a temporary name and renamed: what has a slot's name is
/// whole. It is not synced: no other process reads it, and this one does not survive a crash of the
/// system.
///
/// The run's directory is locked (flock) while the store lives, and the system unlocks it when the
/// process dies, in whatever way. Opening a store removes those that nobody has locked. It does so,
/// and makes its own, with the user's directory locked, so that none is seen before it is locked.
/// A store is for one thread at a time; different stores can be used at one time.
class DiskStore {
 public:
  /// Checkpoints of `bytes` bytes, below `directory`, which exists. Throws Data, with the reason,
  /// where the directory of the run can not be made or locked, and Argument for negative bytes.
  DiskStore(const std::string& directory, std::int64_t bytes);
  /// Removes all files and the run's directory.
  ~DiskStore();
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;

  /// Both want `bytes` bytes. A file that the slot has is replaced.
  WriteResult write(std::int32_t slot, std::int64_t state, std::span<const std::byte> data);
  /// Reads what was written last to the slot, if that was `state`.
  ReadResult read(std::int32_t slot, std::int64_t state, std::span<std::byte> data);
  /// Empties the slot.
  void remove(std::int32_t slot);

  /// Where the files are.
  const std::string& path() const { return path_; }

  /// For tests: after `writes` more calls of write(), the next one writes half of its file and then
  /// has the error, once.
  void failWrite(std::int64_t writes, int error) {
    writesToFailure_ = writes;
    failure_ = error;
  }

 private:
  struct Header;
  Header headerOf(std::int32_t slot, std::int64_t state) const;
  int writeFile(const char* name, const Header& header, std::span<const std::byte> data);

  std::string path_;
  std::int64_t bytes_;
  std::uint64_t run_ = 0;  ///< differs between stores
  int directory_ = -1;     ///< the run's, locked
  int parent_ = -1;        ///< the user's
  std::int64_t writesToFailure_ = -1;
  int failure_ = 0;
};

}  // namespace adjoint::checkpoint
