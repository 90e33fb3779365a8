// Counts how often the main thread asks for memory, for LD_PRELOAD; prints the number at the end.
#include <stddef.h>
#include <stdio.h>

// glibc's own, under names that stay its own.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static __thread int isMain __attribute__((tls_model("initial-exec")));
static long count;

__attribute__((constructor)) static void start(void) { isMain = 1; }
__attribute__((destructor)) static void end(void) { fprintf(stderr, "mallocs %ld\n", count); }

void *malloc(size_t n) {
  count += isMain;
  return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
  count += isMain;
  return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
  count += isMain;
  return __libc_realloc(p, n);
}
void *memalign(size_t alignment, size_t n) {
  count += isMain;
  return __libc_memalign(alignment, n);
}
void *aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }
int posix_memalign(void **p, size_t alignment, size_t n) {
  *p = memalign(alignment, n);
  return *p == NULL ? 12 : 0;
}
