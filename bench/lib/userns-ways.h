/* SPDX-License-Identifier: MIT */
/* The ways to a user namespace descriptor that are measured here, all with the same map. */
#ifndef IDM_LIB_USERNS_WAYS_H
#define IDM_LIB_USERNS_WAYS_H

#include <stdbool.h>

#define USERNS_MAP "0:100000:65536"

/* Each returns a new descriptor, or dies. All but the last may be called by many threads at once. */
int userns_ours(void);	  /* idm_userns_open() */
int userns_cached(void);  /* idm_userns_cache_open(), of a cache that has it */
int userns_bare(void);	  /* the system calls that the library cannot do without, nothing checked */
int userns_checked(void); /* those, and the ones without which it can go wrong */
int userns_fork_pause_kill(void); /* a fork that waits; looked after by pidfd; killed */
int userns_reexec(void); /* as os.StartProcess of Go does it: the program again, stopped by ptrace */

bool userns_has_bare(void); /* written for x86_64 only */

/* To be called first in main(): in a program that userns_reexec() has started it does not return. */
void userns_begin(void);

#endif
