// SPDX-License-Identifier: MIT
/* The rule of the service, on facts alone. */
#include <linux/capability.h>

#include "lib/base/macros.h"
#include "service/rule.h"
#include "tests/lib/maps.h"

/* IDs of the caller's user namespace: those of an ordinary user with ranges. */
#define RANGES                                                                       \
	"u:0:1500:1,u:1:200000:1000,u:1001:400000:20000,g:0:1500:1,g:1:300000:1000," \
	"g:1001:400000:20000"

#define ENOUGH (1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETFCAP | 1ULL << CAP_SYS_ADMIN)

static struct idm_service_reply reply;

static int judge(const char *text)
{
	AUTO_MAP struct idm_map *map = map_of(text), *parent = map_of(RANGES);

	return judge_map(map, &(struct caller_facts){ .parent = parent }, &reply);
}

static void refused(const char *text, const char *reason)
{
	assert_int_equal(judge(text), -EPERM);
	assert_int_equal(reply.result, -EPERM);
	assert_contains(reply.reason, reason);
	assert_true(*reply.hint);
}

TEST(maps_among_own_ids_pass)
{
	assert_int_equal(judge("u:1500:0,g:1500:0"), 0);
	assert_int_equal(judge("u:200000:0,g:300000:0"), 0);
	assert_int_equal(judge("u:200999:0,g:300999:0"), 0);
	assert_int_equal(judge("u:200000:0:1000,g:300000:0:1000"), 0);
	assert_int_equal(judge("u:1500:5,u:200010:6:20,g:1500:5,g:300010:6:20"), 0);
}

TEST(other_ids_are_refused)
{
	refused("u:0:0,g:1500:0", "disk uid 0 ");
	refused("u:1500:0,g:0:0", "disk gid 0 ");
	refused("u:1499:0,g:1500:0", "disk uid 1499 ");
	refused("u:1501:0,g:1500:0", "disk uid 1501 ");
	refused("u:1500:0:2,g:1500:0", "disk uid 1501 ");
	refused("u:199999:0:2,g:1500:0", "disk uid 199999 ");
	refused("u:201000:0,g:1500:0", "disk uid 201000 ");
	refused("u:200990:0:20,g:1500:0", "disk uid 201000 ");
	refused("u:0:0:4294967295,g:1500:0", "disk uid 0 ");
	refused("u:4294967294:0,g:1500:0", "disk uid 4294967294 ");
	refused("u:1500:0,g:200000:0", "disk gid 200000 ");
	refused("u:1500:0,g:300999:0:2", "disk gid 301000 ");
	refused("u:1500:7,u:1600:8,g:1500:7", "disk uid 1600 ");
}

TEST(no_advice_to_grant_root)
{
	refused("u:0:0,g:1500:0", "disk uid 0 ");
	assert_string_equal(reply.hint,
			    "leave ID 0 out of the map: /etc/subuid must not grant root's ID");
	refused("u:1500:0,g:0:0", "disk gid 0 ");
	assert_string_equal(reply.hint,
			    "leave ID 0 out of the map: /etc/subgid must not grant root's ID");
	refused("u:1501:0,g:1500:0", "disk uid 1501 ");
	assert_contains(reply.hint, "a line in /etc/subuid that contains it grants it");
}

TEST(neighbouring_ranges_count_as_one)
{
	AUTO_MAP struct idm_map *parent = map_of("u:5:100:10,u:0:110:5,u:100:115:5,g:0:0:200");
	AUTO_MAP struct idm_map *map = map_of("u:100:0:20,g:0:0:200"),
				*more = map_of("u:100:0:21,g:0:0:200");
	const struct caller_facts caller = { .parent = parent };

	assert_int_equal(judge_map(map, &caller, &reply), 0);
	assert_int_equal(judge_map(more, &caller, &reply), -EPERM);
	assert_contains(reply.reason, "disk uid 120 ");
}

static int judge_below(const char *text, const char *parent_text)
{
	AUTO_MAP struct idm_map *map = map_of(text), *parent = map_of(parent_text);

	return judge_map(map, &(struct caller_facts){ .parent = parent }, &reply);
}

/* An ACL can name all IDs of a small namespace, but not 16384. */
TEST(map_to_some_of_few_ids_is_refused)
{
	assert_int_equal(judge_below("u:10:0:3,g:10:0:3", "u:0:10:3,g:0:10:3"), 0);
	assert_int_equal(judge_below("u:10:2,u:11:0:2,g:10:0:3", "u:0:10:3,g:0:10:3"), 0);
	assert_int_equal(judge_below("u:10:0:2,g:10:0:3", "u:0:10:3,g:0:10:3"), -EPERM);
	assert_contains(reply.reason,
			"each of the 3 uids of the caller's user namespace, got 2 of them");
	assert_contains(reply.hint, "16384");
	assert_int_equal(judge_below("u:10:0:3,g:12:0", "u:0:10:3,g:0:10:3"), -EPERM);
	assert_contains(reply.reason,
			"each of the 3 gids of the caller's user namespace, got 1 of them");
	assert_int_equal(judge_below("u:10:0,g:10:0", "u:0:10:16384,g:0:10:16384"), 0);
	assert_int_equal(judge_below("u:10:0,g:10:0", "u:0:10:16383,g:0:10:16384"), -EPERM);
	assert_int_equal(judge_below("u:10:0,g:10:0", "u:0:10:16384,g:0:10:16383"), -EPERM);
	assert_int_equal(judge_below("u:0:0:4294967295,g:0:0", "u:0:0:4294967295,g:0:0:4294967295"), 0);
}

TEST(both_sides_are_needed)
{
	assert_int_equal(judge(""), -EINVAL);
	assert_contains(reply.reason, "no uid map");
	assert_int_equal(judge("u:1500:0"), -EINVAL);
	assert_contains(reply.reason, "no gid map");
	assert_int_equal(judge("g:1500:0"), -EINVAL);
	assert_contains(reply.reason, "no uid map");
}

/* ---- the caller ---- */

static void refused_caller(const struct caller_facts *caller, const char *reason)
{
	assert_int_equal(judge_caller(caller, &reply), -EPERM);
	assert_contains(reply.reason, reason);
	assert_true(*reply.hint);
}

TEST(caller_is_judged)
{
	AUTO_MAP struct idm_map *parent = map_of(RANGES);
	const struct caller_facts good = { .is_in_parent = true,
					   .capabilities = ENOUGH,
					   .parent = parent };
	struct caller_facts caller = good;

	assert_int_equal(judge_caller(&caller, &reply), 0);
	caller.is_in_parent = false;
	refused_caller(&caller, "not in the parent");
	caller = good;
	caller.parent_is_initial = true;
	refused_caller(&caller, "initial user namespace");
	caller = good;
	caller.capabilities = ENOUGH & ~(1ULL << CAP_SETUID);
	refused_caller(&caller, "CAP_SETUID");
	caller.capabilities = ENOUGH & ~(1ULL << CAP_SETGID);
	refused_caller(&caller, "CAP_SETGID");
	caller.capabilities = ENOUGH & ~(1ULL << CAP_SETFCAP);
	refused_caller(&caller, "CAP_SETFCAP");
	caller.capabilities = ~(1ULL << CAP_SYS_ADMIN);
	refused_caller(&caller, "CAP_SYS_ADMIN");
}

/* The parent has both groups. */
static int judge_with_groups(const char *text, bool may_drop)
{
	static const uint32_t groups[] = { 1500, 300007 };
	AUTO_MAP struct idm_map *map = map_of(text), *parent = map_of(RANGES);

	return judge_map(map,
			 &(struct caller_facts){ .parent = parent,
						 .may_drop_groups = may_drop,
						 .groups = groups,
						 .n_groups = ARRAY_SIZE(groups) },
			 &reply);
}

static void group_is_refused(const char *text, const char *group)
{
	assert_int_equal(judge_with_groups(text, true), 0);
	assert_int_equal(judge_with_groups(text, false), -EPERM);
	assert_contains(reply.reason, group);
	assert_contains(reply.reason, "setgroups is denied in its user namespace");
	assert_contains(reply.hint, "newgidmap(1)");
}

TEST(groups_that_cannot_be_left_are_kept)
{
	assert_int_equal(judge_with_groups("u:1500:0,g:1500:1500,g:300000:300000:1000", false), 0);
	group_is_refused("u:1500:0,g:1500:1500", "group 300007 ");
	group_is_refused("u:1500:0,g:300000:300000:1000", "group 1500 ");
	group_is_refused("u:1500:0,g:1500:1500,g:300007:300008", "group 300007 ");
	group_is_refused("u:1500:0,g:1500:300007,g:300007:1500", "group 1500 ");
}

/* ---- the tree ---- */

TEST(tree_is_judged)
{
	AUTO_MAP struct idm_map *parent = map_of(RANGES);
	struct tree_facts tree = { .is_of_host = true, .owner = 1500 };

	assert_int_equal(judge_tree(&tree, parent, false, &reply), 0);
	tree.owner = 200999;
	assert_int_equal(judge_tree(&tree, parent, false, &reply), 0);
	tree.owner = 300000; /* a gid is no uid */
	assert_int_equal(judge_tree(&tree, parent, false, &reply), -EPERM);
	assert_contains(reply.reason, "uid 300000");
	assert_int_equal(judge_tree(&tree, parent, true, &reply), 0);
	tree.is_of_host = false;
	assert_int_equal(judge_tree(&tree, parent, true, &reply), -EPERM);
	assert_contains(reply.reason, "not mounted on the host");
}

/* ---- the challenge ---- */

static uint32_t chosen(const char *text, const uint32_t *avoid, size_t n)
{
	AUTO_MAP struct idm_map *parent = map_of(text);
	struct challenge_id id;
	uint32_t seen;

	assert_true(choose_challenge(parent, IDM_UID, avoid, n, &id));
	assert_int_equal(idm_map_to_seen(parent, IDM_UID, id.inside, &seen), 0);
	assert_int_equal(seen, id.host);
	return id.host;
}

TEST(challenge_is_another_id)
{
	static const uint32_t avoid[] = { 1000, 1001, 0, 200999 };
	AUTO_MAP struct idm_map *empty = map_of("");
	struct challenge_id id;

	assert_int_equal(chosen("u:0:1500:1,u:1:200000:1000", avoid, 3), 200999);
	assert_int_equal(chosen("u:0:1500:1,u:1:200000:1000", avoid, 4), 200998);
	assert_int_equal(chosen("u:0:0:2,u:5:1000:3", avoid, 4), 1002);
	assert_int_equal(chosen("u:0:0:2,u:5:1000:2", avoid, 4), 1);
	/* Those at the beginning are avoided most. */
	assert_int_equal(chosen("u:0:0,u:5:1000:2", avoid, 4), 0);
	assert_int_equal(chosen("u:5:1000:2", avoid, 4), 1001);
	assert_int_equal(chosen("u:5:1000", avoid, 4), 1000);
	assert_false(choose_challenge(empty, IDM_UID, avoid, 4, &id));
}
