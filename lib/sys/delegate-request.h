/* SPDX-License-Identifier: MIT */
/* What the two sides of a delegate share: see delegate.h. */
#ifndef IDM_SYS_DELEGATE_REQUEST_H
#define IDM_SYS_DELEGATE_REQUEST_H

#include <stdint.h>

#include "delegate.h"

/* The places of its descriptors. */
enum { IDM_DELEGATE_REQUEST_FD, IDM_DELEGATE_OPERAND_FD, IDM_DELEGATE_PROGRAM_FD, IDM_DELEGATE_FDS };

/*
 * In memory that both sides see, so that an answer cannot fail. Strings are behind it. All that comes
 * after `cancelled` is written by the delegate.
 */
struct idm_delegate_request {
	uint32_t operation;
	uint32_t uid, gid;
	int32_t fd;			/* in the caller's table */
	uint32_t name, source, options; /* where they begin; 0: not given */
	uint32_t cancelled;
	uint64_t effective, permitted, inheritable; /* capabilities of the caller */
	uint32_t begun, is_owner, done;
	int32_t result;
};

/* What the child touches before it executes the program. Its stack is behind that. */
struct idm_delegate_space {
	struct idm_delegate_request *request;
	int32_t program_fd, request_fd;
	int32_t parent;	     /* the number of the subprocess */
	uint32_t copy_table; /* the child has a copy of the descriptor table, and not the table itself */
	uint32_t inside;     /* the kernel's: not 0 as long as the child is in the caller's memory */
	uint32_t looked;     /* the function has looked at the program */
	uint32_t is_over;    /* the child has been reaped, or was never there */
};

/* delegate-child.c: executes the program. */
void idm_delegate_child(void *space);

/* delegate-work.c: what is wanted. In the program, or in a child that has a copy of the memory. */
void idm_delegate_do_work(struct idm_delegate_request *request, int fd);

/* delegate-nest.c */
long idm_delegate_nest_userns(const struct idm_delegate_request *request, int socket);

/* The program (delegate-main.c), an ELF file. Made when the library is built. */
extern const unsigned char idm_delegate_program[];
extern const unsigned int idm_delegate_program_size;

#endif
