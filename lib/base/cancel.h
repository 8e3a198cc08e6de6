/* SPDX-License-Identifier: MIT */
/*
 * A thread is not cancelled inside the library. A cancelled thread would leave descriptors, zombies,
 * locks and waiting threads behind. Every public function that blocks or allocates begins with
 * HOLD_CANCEL; tests/abi/symbols.sh looks for it. idm_reaper_add() has it further inside. A cancellation
 * stays pending, and takes effect in the caller.
 *
 * It has to be the first declaration of the function: cleanups run in reverse order, and those of the
 * function still call close(2).
 */
#ifndef IDM_BASE_CANCEL_H
#define IDM_BASE_CANCEL_H

#include <pthread.h>

/* No system call: one word of the thread's own memory. */
static inline int idm_hold_cancel(void)
{
	int state = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void idm_restore_cancel(const int *state)
{
	int ignored;

	pthread_setcancelstate(*state, &ignored);
}

#define HOLD_CANCEL \
	__attribute__((cleanup(idm_restore_cancel), unused)) const int cancel_state_ = idm_hold_cancel()

#endif
