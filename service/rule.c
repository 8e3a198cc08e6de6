// SPDX-License-Identifier: MIT
#include "rule.h"

#include <errno.h>
#include <linux/capability.h>

#include "lib/base/macros.h"

static bool is_in_range(uint32_t id, uint32_t start, uint32_t count)
{
	return id >= start && id - start < count;
}

/* The entry that has this ID of the host; NULL: none. */
static const struct idm_entry *find_host_id(const struct idm_map *parent, unsigned int kind, uint32_t id)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(parent, kind, &entries);

	for (size_t i = 0; i < n; i++)
		if (is_in_range(id, entries[i].seen, entries[i].count))
			return &entries[i];
	return NULL;
}

/* ---- the caller ---- */

/*
 * With the first three the kernel lets it create a user namespace below with all IDs of its own, and all
 * capabilities over them. CAP_SETFCAP is for ID 0 there, whose file capabilities count in both.
 */
static const struct {
	unsigned int number;
	const char *name;
} needed[] = {
	{ CAP_SETUID, "CAP_SETUID" },
	{ CAP_SETGID, "CAP_SETGID" },
	{ CAP_SETFCAP, "CAP_SETFCAP" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
};

static int judge_capabilities(const struct caller_facts *caller, struct idm_service_reply *reply)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (caller->capabilities >> needed[i].number & 1)
			continue;
		refuse_request(reply, -EPERM, "the caller requires %s in its user namespace",
			       needed[i].name);
		add_advice(reply, "ask as the root user of that namespace");
		return -EPERM;
	}
	return 0;
}

int judge_caller(const struct caller_facts *caller, struct idm_service_reply *reply)
{
	if (caller->parent_is_initial) {
		refuse_request(reply, -EPERM,
			       "the parent of the user namespace is the initial user namespace");
		add_advice(reply, "create it in a user namespace of the caller's, as unshare(1) makes");
		return -EPERM;
	}
	if (!caller->is_in_parent) {
		refuse_request(reply, -EPERM, "the caller is not in the parent of the user namespace");
		add_advice(reply, "create the user namespace with the map where the caller is");
		return -EPERM;
	}
	return judge_capabilities(caller, reply);
}

/* ---- the tree ---- */

int judge_tree(const struct tree_facts *tree, const struct idm_map *parent, bool any_directory,
	       struct idm_service_reply *reply)
{
	if (!tree->is_of_host) {
		refuse_request(reply, -EPERM, "the filesystem of the tree is not mounted on the host");
		add_advice(reply,
			   "a filesystem that was mounted in a user namespace stores other IDs than "
			   "the host's");
		return -EPERM;
	}
	if (!any_directory && !find_host_id(parent, IDM_UID, tree->owner)) {
		refuse_request(
			reply, -EPERM,
			"the directory belongs to uid %u, which the caller's user namespace lacks",
			tree->owner);
		add_advice(reply,
			   "choose a directory of the caller's; the service's --any-directory allows "
			   "others");
		return -EPERM;
	}
	return 0;
}

/* ---- the map ---- */

/*
 * Each mapped tree has a copy of its map in the kernel. It counts for the service's cgroup, as long as
 * the client keeps the tree.
 */
int judge_map_length(unsigned int lines, struct idm_service_reply *reply)
{
	if (lines <= IDM_SERVICE_MAP_LINES)
		return 0;
	refuse_request(reply, -E2BIG, "expected a map of at most %u lines on each side, got %u",
		       IDM_SERVICE_MAP_LINES, lines);
	add_advice(reply, "join neighbouring ranges, or map fewer of them");
	return -E2BIG;
}

static const char *kind_name(unsigned int kind)
{
	return kind == IDM_UID ? "uid" : "gid";
}

/* The first ID of the range that is not the parent's; false: all are. */
static bool find_other_id(const struct idm_map *parent, unsigned int kind, const struct idm_entry *range,
			  uint32_t *other)
{
	uint64_t id = range->disk, end = (uint64_t)range->disk + range->count;

	while (id < end) {
		const struct idm_entry *entry = find_host_id(parent, kind, (uint32_t)id);

		if (!entry) {
			*other = (uint32_t)id;
			return true;
		}
		id = (uint64_t)entry->seen + entry->count;
	}
	return false;
}

/* A user that may become root by newuidmap(1) is root. */
static void advise_on_other_id(unsigned int kind, uint32_t other, struct idm_service_reply *reply)
{
	if (other == 0)
		add_advice(reply, "leave ID 0 out of the map: /etc/sub%s must not grant root's ID",
			   kind_name(kind));
	else
		add_advice(reply,
			   "a line in /etc/sub%s that contains it grants it, from the next user "
			   "namespace of newuidmap(1) on",
			   kind_name(kind));
}

/*
 * An entry of an ACL can deny an ID what others may do. A process with an ID that no disk ID appears as
 * is in no entry. Without the map the caller could be as an ID that no entry names, if there is one.
 *
 * Two files at most are read at once: a script and its interpreter. Each has an owner, a group, and 8187
 * named entries: the kernel stores 64 KiB. The kernel refuses writes to a file whose owner or group the
 * map lacks. As the owner, the caller could change the ACL.
 */
#define IDS_BEYOND_ACLS 16384U

static uint64_t count_ids(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);
	uint64_t ids = 0;

	for (size_t i = 0; i < n; i++)
		ids += entries[i].count;
	return ids;
}

/* No ID is in a column twice, and those of the second column are the parent's. */
static int judge_hidden_ids(const struct idm_map *map, const struct idm_map *parent, unsigned int kind,
			    struct idm_service_reply *reply)
{
	const uint64_t all = count_ids(parent, kind), shown = count_ids(map, kind);

	if (all >= IDS_BEYOND_ACLS || shown >= all)
		return 0;
	refuse_request(reply, -EPERM,
		       "expected a map to each of the %u %ss of the caller's user namespace, got %u of "
		       "them",
		       (unsigned int)all, kind_name(kind), (unsigned int)shown);
	add_advice(reply,
		   "map the others, too: an ACL can name each of so few IDs; a user namespace with %u "
		   "needs a map to some",
		   IDS_BEYOND_ACLS);
	return -EPERM;
}

static int judge_map_side(const struct idm_map *map, const struct idm_map *parent, unsigned int kind,
			  struct idm_service_reply *reply)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);
	uint32_t other;

	if (n == 0) {
		refuse_request(reply, -EINVAL, "the user namespace has no %s map", kind_name(kind));
		add_advice(reply, "write both maps before the request");
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!find_other_id(parent, kind, &entries[i], &other))
			continue;
		refuse_request(reply, -EPERM,
			       "disk %s %u of the map is not an ID of the caller's user namespace",
			       kind_name(kind), other);
		advise_on_other_id(kind, other, reply);
		return -EPERM;
	}
	return judge_hidden_ids(map, parent, kind, reply);
}

static bool keeps_group(const struct idm_map *map, uint32_t group)
{
	uint32_t seen;

	return idm_map_to_seen(map, IDM_GID, group, &seen) == 0 && seen == group;
}

/*
 * A file can grant its group less than others. A caller that cannot leave the group would get the rights
 * of others by a map that leaves the group out, or shows it as another one.
 */
static int judge_groups(const struct idm_map *map, const struct caller_facts *caller,
			struct idm_service_reply *reply)
{
	for (size_t i = 0; !caller->may_drop_groups && i < caller->n_groups; i++) {
		if (keeps_group(map, caller->groups[i]))
			continue;
		refuse_request(reply, -EPERM,
			       "the caller cannot leave group %u (setgroups is denied in its user "
			       "namespace), and the map does not keep it",
			       caller->groups[i]);
		add_advice(reply,
			   "let newgidmap(1) write the gid map of that user namespace, with a line in "
			   "/etc/subgid; or map the group to itself, if the namespace has it");
		return -EPERM;
	}
	return 0;
}

int judge_map(const struct idm_map *map, const struct caller_facts *caller,
	      struct idm_service_reply *reply)
{
	int r = judge_map_side(map, caller->parent, IDM_UID, reply);

	if (r == 0)
		r = judge_map_side(map, caller->parent, IDM_GID, reply);
	return r < 0 ? r : judge_groups(map, caller, reply);
}

/* ---- the challenge ---- */

static bool is_among(uint32_t id, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* One more candidate than there are IDs to avoid is enough, if the entry has as many. */
static bool choose_in(const struct idm_entry *entry, const uint32_t *avoid, size_t n,
		      struct challenge_id *id)
{
	for (uint32_t i = 0; i < entry->count && i <= n; i++) {
		uint32_t offset = entry->count - 1 - i;

		*id = (struct challenge_id){ entry->disk + offset, entry->seen + offset };
		if (!is_among(id->host, avoid, n))
			return true;
	}
	return false;
}

static bool choose_among(const struct idm_map *parent, unsigned int kind, const uint32_t *avoid,
			 size_t n, struct challenge_id *id)
{
	const struct idm_entry *entries;

	for (size_t i = idm_map_entries(parent, kind, &entries); i > 0; i--)
		if (choose_in(&entries[i - 1], avoid, n, id))
			return true;
	return false;
}

bool choose_challenge(const struct idm_map *parent, unsigned int kind, const uint32_t *avoid,
		      size_t n_avoid, struct challenge_id *id)
{
	for (size_t n = n_avoid + 1; n-- > 0;)
		if (choose_among(parent, kind, avoid, n, id))
			return true;
	return false;
}
