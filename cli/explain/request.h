/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_EXPLAIN_REQUEST_H
#define IDM_CLI_EXPLAIN_REQUEST_H

#include "exposed-way.h"
#include "report.h"
#include "subject.h"

/* What the command line of "idmount explain" asks, and what is known so far of one path. */
struct explain_request {
	struct subject subject;
	struct report report;
	unsigned int accesses; /* 1 << IDM_ACCESS_*; 0: the common ones */
	uint32_t new_uid, new_gid;
	bool refused;
	/* Of one path: */
	struct layer_copy copies[MOUNTERS_MOST]; /* of the directories on the way */
	const char *path;			 /* as it is in the command line */
	struct verdict removal; /* of a file in the last directory on the way, by its layer */
	bool removal_judged;
	struct exposed_way way;
	uint32_t uid; /* of the process; IDM_EXPLAIN_NO_ID: not known yet */
	struct last_directory {
		uint32_t uid, gid;
		bool is_settled, is_unseen;
		bool is_readonly; /* its filesystem or subvolume */
	} directory;		  /* the last one on the way */
};

/*
 * Prints what decides about each place on the way to the path, and about the path. Returns DONE, or
 * FAILED if the path cannot be judged.
 */
int explain_requested_path(struct explain_request *request, const char *path);

#endif
