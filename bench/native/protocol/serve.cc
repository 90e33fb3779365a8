// The line protocol of a peer: one request a line in, one line out.
//
//   version                       who computes
//   load NAME FILE SIZE...        ok | unknown          inputs are the file's float64 numbers
//   run primal|derivative COUNT   nanoseconds of COUNT runs
//   dump primal|derivative FILE   ok                    runs once and writes what it computed as
//   float64
//
// Where something goes wrong the answer is "error" and a text. Paths have no spaces.
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "protocol/problem.h"

namespace bench {
namespace {

std::vector<double> readNumbers(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<double> numbers(static_cast<std::size_t>(file.tellg()) / sizeof(double));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(numbers.data()),
            static_cast<std::streamsize>(numbers.size() * sizeof(double)));
  if (!file) throw std::runtime_error("cannot read " + path);
  return numbers;
}

void writeNumbers(const std::string& path, Numbers numbers) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(numbers.data()),
             static_cast<std::streamsize>(numbers.size_bytes()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

class Server {
 public:
  Server(const std::string& version, const Problems& problems)
      : version_(version), problems_(problems) {}

  std::string answer(std::istringstream request) {
    std::string verb;
    request >> verb;
    if (verb == "version") return version_;
    if (verb == "load") return load(request);
    std::string what;
    request >> what;
    if (!problem_) throw std::runtime_error("nothing is loaded");
    if (what != "primal" && what != "derivative") throw std::runtime_error("run what? " + what);
    if (verb == "run") return run(what == "primal", request);
    if (verb == "dump") return dump(what == "primal", request);
    throw std::runtime_error("no such request: " + verb);
  }

 private:
  std::string load(std::istringstream& request) {
    std::string name;
    std::string path;
    request >> name >> path;
    const auto found = problems_.find(name);
    if (found == problems_.end()) return "unknown";
    problem_.reset();
    sizes_.assign(std::istream_iterator<long>(request), {});
    inputs_ = readNumbers(path);
    problem_ = found->second(sizes_, inputs_);
    return problem_ ? "ok" : "unknown";
  }

  std::string run(bool primal, std::istringstream& request) {
    long count = 0;
    request >> count;
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < count; i++) once(primal);
    const auto elapsed = std::chrono::steady_clock::now() - start;
    return std::to_string(std::chrono::nanoseconds(elapsed).count());
  }

  std::string dump(bool primal, std::istringstream& request) {
    std::string path;
    request >> path;
    once(primal);
    writeNumbers(path, primal ? problem_->value() : problem_->gradient());
    return "ok";
  }

  void once(bool primal) {
    if (primal) {
      problem_->primal();
    } else {
      problem_->derivative();
    }
  }

  const std::string& version_;
  const Problems& problems_;
  std::vector<long> sizes_;
  std::vector<double> inputs_;
  std::unique_ptr<Problem> problem_;
};

}  // namespace

void expect(bool fits, const char* what) {
  if (!fits) throw std::invalid_argument(std::string(what) + ": sizes and inputs do not fit");
}

int serve(const std::string& version, const Problems& problems) {
  Server server(version, problems);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string answer;
    try {
      answer = server.answer(std::istringstream(line));
    } catch (const std::exception& error) {
      answer = std::string("error ") + error.what();
    }
    std::cout << answer << std::endl;
  }
  return 0;
}

}  // namespace bench
