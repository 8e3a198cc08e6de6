/* SPDX-License-Identifier: MIT */
/*
 * The stack of a cloned child. It is not a part of the caller's, which may be a small one. A guard is
 * below it, so that an overflow is a fault and not a write to other memory.
 */
#ifndef IDM_SYS_CHILD_STACK_H
#define IDM_SYS_CHILD_STACK_H

#define IDM_CHILD_STACK_SIZE 65536

/* Returns the lowest byte of a stack, or NULL if memory is short. */
char *idm_child_stack_new(void);
void idm_child_stack_free(char *stack);

#endif
