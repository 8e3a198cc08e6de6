// SPDX-License-Identifier: MIT
/* The part of a request for IDs, capabilities and a seccomp filter. */
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/fail-errno.h"

#define MOST_FILTER ((ssize_t)(BPF_MAXINSNS * sizeof(struct sock_filter)))

void idm_request_add_identity(struct idm_block *block, const struct idm_child_options *o)
{
	uint32_t groups = o->n_groups
				  ? idm_block_append(block, o->groups, o->n_groups * sizeof(*o->groups))
				  : 0;
	struct idm_request *request = idm_block_request(block);

	request->groups = groups;
	request->n_groups = (uint32_t)o->n_groups;
	request->uid = o->uid;
	request->gid = o->gid;
	/* Another user never keeps the caller's groups. */
	if (o->flags & IDM_CHILD_SET_GROUPS ||
	    (o->uid != IDM_CHILD_KEEP_ID && !(request->flags & IDM_REQUEST_OTHER_USER)))
		request->flags |= IDM_REQUEST_SET_GROUPS;
	if (o->capabilities) {
		request->flags |= IDM_REQUEST_SET_CAPS;
		request->caps = (struct idm_request_caps){
			o->capabilities->effective,   o->capabilities->permitted,
			o->capabilities->inheritable, o->capabilities->bounding,
			o->capabilities->ambient,
		};
	}
}

/* ---- a filter of seccomp(2) ---- */

#define FILTER_STEP IDM_STEP_READ_SECCOMP_FILTER

static int check_filter(ssize_t n, struct idm_error *err)
{
	if (n < 0)
		return idm_fail_errno(err, (int)n, FILTER_STEP, NULL);
	if (n == 0 || n % (ssize_t)sizeof(struct sock_filter) || n > MOST_FILTER)
		return idm_fail(err, -EINVAL, FILTER_STEP, NULL,
				"expected 1 to %d instructions of %zu bytes, got %zd bytes",
				BPF_MAXINSNS, sizeof(struct sock_filter), n);
	return 0;
}

int idm_request_add_filter(struct idm_block *block, const struct idm_child_options *o,
			   struct idm_error *err)
{
	AUTO_FREE char *text = NULL;
	uint32_t at;
	ssize_t n;
	int r;

	if (o->seccomp_fd < 0)
		return 0;
	text = malloc(MOST_FILTER + 1);
	if (!text)
		return idm_fail_errno(err, -ENOMEM, FILTER_STEP, NULL);
	n = idm_read_all(o->seccomp_fd, text, MOST_FILTER + 1);
	r = check_filter(n, err);
	if (r < 0)
		return r;
	at = idm_block_append(block, text, (size_t)n);
	idm_block_request(block)->filter = at;
	idm_block_request(block)->n_filter = (uint32_t)((size_t)n / sizeof(struct sock_filter));
	return 0;
}
