/* SPDX-License-Identifier: MIT */
/*
 * The rules for maps that annotations ask for. Authors of pods and images write annotations; the
 * host's root decides what they may say, in a file of rules. Reading and deciding touch no file.
 */
#ifndef IDM_OCI_OCI_POLICY_H
#define IDM_OCI_OCI_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

/* The one place of the file. Neither the environment nor an option names another one. */
#define IDM_POLICY_DIRECTORY "/etc/idmount"
#define IDM_POLICY_NAME "annotations.conf"
#define IDM_POLICY_FILE IDM_POLICY_DIRECTORY "/" IDM_POLICY_NAME

struct idm_policy_range {
	uint32_t first, last;
};

struct idm_policy_ids {
	struct idm_policy_range *ranges;
	size_t n;
};

/* The ranges that each side of a map may have in one of its columns. */
struct idm_policy_sides {
	struct idm_policy_ids uid, gid;
	bool given;
};

struct idm_policy_rule {
	unsigned int line;
	bool allow;
	/* The conditions; NULL: none. */
	char *source;	 /* an absolute path without a slash at its end; "" is the root */
	char *namespace; /* "*": any pod; "-": no pod */
	char *handler;
	/* The IDs that an allowed map may have. */
	struct idm_policy_sides disk, seen;
};

struct idm_policy {
	unsigned int off; /* the line with "off"; 0: none */
	struct idm_policy_rule *rules;
	size_t n;
};

/* -EINVAL: err names the line. -ENOMEM. *policy is to be freed only on success. */
int idm_policy_parse(const char *text, size_t length, struct idm_policy **policy, struct idm_error *err);
void idm_policy_free(struct idm_policy *policy); /* NULL is allowed */

/* The request of an annotation. */
struct idm_policy_request {
	const char *annotation;	   /* its key, for the error */
	const struct idm_map *map; /* NULL: not known; only a refusal of all maps can be decided */
	const char *source;	   /* where the source is, resolved; NULL: the mount has none */
	bool pod;		   /* Kubernetes asks */
	const char *namespace;	   /* of the pod; NULL: not known */
	const char *handler;	   /* of the runtime; NULL: not known */
};

/* `policy` NULL: the file does not exist, and the default rule decides. Returns 0 or -EPERM. */
int idm_policy_judge(const struct idm_policy *policy, const struct idm_policy_request *request,
		     struct idm_error *err);

#endif
