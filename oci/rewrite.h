/* SPDX-License-Identifier: MIT */
/* What the parts of config-rewrite.c have in common. */
#ifndef IDM_OCI_REWRITE_H
#define IDM_OCI_REWRITE_H

#include <errno.h>

#include "config-rewrite.h"
#include "json-edit.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"

struct rewrite {
	struct idm_json_text *parsed;
	struct idm_json whole;
	struct edits edits;
	/*
	 * The arguments for the hook: "idmap=MAP/DESTINATION". The configuration has the first `n_old`
	 * of them already.
	 */
	char **requests;
	size_t n_requests, n_old;
	struct idm_oci_annotations annotations;
	bool any; /* something is to be mapped */
	const struct config *config;
	struct idm_error *err;
};

static inline int rewrite_fail_memory(struct idm_error *err)
{
	return idm_fail_errno(err, -ENOMEM, IDM_STEP_PREPARE_BUNDLE, NULL);
}

/* ---- rewrite-hooks.c ---- */

/* Reads the requests in the arguments of this program's hook, if the configuration has it already. */
int rewrite_read_hook(struct rewrite *rw);

/* Owns the text from here on. NULL means that memory ran out. */
int rewrite_add_request(struct rewrite *rw, char *request);

/* Adds the hook, or what it lacks. */
int rewrite_hooks(struct rewrite *rw);

/* ---- rewrite-mounts.c ---- */

/* Finds the annotations. They stay as they are: the hook finds them, and rejects wrong ones. */
int rewrite_find_annotations(struct rewrite *rw);

/* Moves the requests for maps from the mounts to the arguments of the hook. */
int rewrite_mounts(struct rewrite *rw);

/* ---- rewrite-output.c ---- */

/*
 * The engine reads the runtime's standard error, but crun discards that of hooks. An image can bring
 * annotations along, and crun opens the files in them as root. So none of them names another file.
 */
void rewrite_hook_output(struct rewrite *rw);

#endif
