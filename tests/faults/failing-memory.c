// SPDX-License-Identifier: MIT
#include "failing-memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "tests/lib/test.h"

static struct failing_memory own;
struct failing_memory *memory = &own;

void memory_begin(unsigned long nth)
{
	*memory = (struct failing_memory){ .counts = true, .nth = nth };
}

void memory_share(void)
{
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
}

#if !TEST_SANITIZED

/* glibc's own functions, which the functions below replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static bool is_to_fail(void)
{
	if (!memory->counts || memory->n++ != memory->nth)
		return false;
	memory->failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	memory->live += memory->counts && p;
	return p;
}

void *malloc(size_t size)
{
	return is_to_fail() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return is_to_fail() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	void *p = is_to_fail() ? NULL : __libc_realloc(old, size);

	return old ? p : counted(p);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return is_to_fail() ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *p)
{
	memory->live -= memory->counts && p;
	__libc_free(p);
}

#endif
