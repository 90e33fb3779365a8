// Makes memory executable so many times, and then no more, for LD_PRELOAD: REFUSE_AFTER says how many.
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int mprotect(void *pages, size_t n, int protection) {
  static int made;
  if ((protection & PROT_EXEC) != 0) {
    const char *most = getenv("REFUSE_AFTER");
    if (made >= (most == NULL ? 0 : atoi(most))) {
      errno = EACCES;
      return -1;
    }
    ++made;
  }
  return (int)syscall(SYS_mprotect, pages, n, protection);
}
