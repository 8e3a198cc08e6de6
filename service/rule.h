/* SPDX-License-Identifier: MIT */
/*
 * The rule of the service: a caller gets a map among IDs that it can become at that moment. Pure data:
 * other files find out the facts. docs/design.md has the proof.
 */
#ifndef IDM_SERVICE_RULE_H
#define IDM_SERVICE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idmount.h"
#include "reply.h"

/* About the caller. The parent is that of the user namespace that carries the map. */
struct caller_facts {
	bool is_in_parent;
	bool parent_is_initial;
	uint64_t capabilities;	/* effective in its user namespace */
	bool may_drop_groups;	/* setgroups is "allow" */
	const uint32_t *groups; /* supplementary ones, as the host counts */
	size_t n_groups;
	const struct idm_map *parent; /* of its IDs to those of the host */
};

/* About the tree. */
struct tree_facts {
	bool is_of_host; /* its filesystem stores IDs as the host counts */
	uint32_t owner;	 /* of its top directory */
	uint32_t device_major, device_minor;
	uint64_t inode; /* of its top directory, for the log; 0: not known yet */
};

/* Each returns 0, or fills in a refusal. */
int judge_caller(const struct caller_facts *caller, struct idm_service_reply *reply);
int judge_tree(const struct tree_facts *tree, const struct idm_map *parent, bool any_directory,
	       struct idm_service_reply *reply);
int judge_map_length(unsigned int lines, struct idm_service_reply *reply);
int judge_map(const struct idm_map *map, const struct caller_facts *caller,
	      struct idm_service_reply *reply);

/*
 * Chooses an ID of the parent for the challenge. It is not in `avoid`, as far as the parent has others:
 * of the IDs there, those at the beginning are avoided most. Returns false for an empty map.
 */
struct challenge_id {
	uint32_t inside; /* as the parent counts */
	uint32_t host;
};
bool choose_challenge(const struct idm_map *parent, unsigned int kind, const uint32_t *avoid,
		      size_t n_avoid, struct challenge_id *id);

#endif
