/* SPDX-License-Identifier: MIT */
/*
 * Processes with much memory, or with many mounts: each does one thing as often as it is told. So a
 * thing is measured in all of them in turn.
 */
#ifndef IDM_LIB_WORKERS_H
#define IDM_LIB_WORKERS_H

#include "measure.h"

/*
 * What is done in processes with much memory and with many mounts, the way of kernels before Linux 6.15,
 * with a staging namespace (`kept`) and without one (`plain`), beside the way of others. Measures and
 * reports it. The processes are forks of the caller, after enter_place().
 */
struct elsewhere {
	const char *subject; /* "plan of 30 mounts" */
	void (*plain)(void), (*kept)(void), (*theirs)(void), (*undo)(void);
	const char *theirs_name;
	int times;
	double at_most; /* `kept` over `theirs`, with few mounts and no memory */
};
void measure_elsewhere(const struct elsewhere *elsewhere, int rounds);

#endif
