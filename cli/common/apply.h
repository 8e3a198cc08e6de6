/* SPDX-License-Identifier: MIT */
/*
 * Makes a root filesystem of a mount list in a file. "idmount apply" and "idmount bundle mount" both use
 * this.
 */
#ifndef IDM_CLI_COMMON_APPLY_H
#define IDM_CLI_COMMON_APPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct apply_request {
	struct idm_plan *plan;
	struct idm_plan_read_options how; /* its dirfd is opened by do_apply() */
	struct idm_plan_apply_options apply;
	bool dry_run;
};

#define APPLY_REQUEST_INIT                                                           \
	{                                                                            \
		NULL, IDM_PLAN_READ_OPTIONS_INIT, IDM_PLAN_APPLY_OPTIONS_INIT, false \
	}

void apply_request_free(struct apply_request *request);

#define AUTO_APPLY_REQUEST __attribute__((cleanup(apply_request_free)))

/* Both return the exit status; failures have been reported. */
int do_apply(struct apply_request *request, const char *file, const char *target);
int do_undo(const char *journal, unsigned int flags);

#endif
