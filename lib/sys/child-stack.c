// SPDX-License-Identifier: MIT
#include "child-stack.h"

#include <stddef.h>
#include <sys/mman.h>

#include "syscall.h"

#define GUARD_SIZE 65536 /* at least a page, on every machine */

char *idm_child_stack_new(void)
{
	char *memory = mmap(NULL, GUARD_SIZE + IDM_CHILD_STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (mprotect(memory, GUARD_SIZE, PROT_NONE) == 0)
		return memory + GUARD_SIZE;
	idm_sys_unmap(memory, GUARD_SIZE + IDM_CHILD_STACK_SIZE);
	return NULL;
}

void idm_child_stack_free(char *stack)
{
	idm_sys_unmap(stack - GUARD_SIZE, GUARD_SIZE + IDM_CHILD_STACK_SIZE);
}
