// SPDX-License-Identifier: MIT
/* A request to idmountd survives the failure of each of the client's system calls: see faults.h. */
#include <sys/prctl.h>

#include "tests/integration/mount/service.h"
#include "tests/lib/faults.h"

static int userns = -1;

static int open_tree_by_service(struct idm_error *err)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;

	options.flags = IDM_TREE_SERVICE;
	return idm_tree_open(AT_FDCWD, SOURCE, userns, &options, err);
}

static void check_shifted(int tree)
{
	assert_shifted(tree);
	close(tree);
}

static void check_same_top(int tree)
{
	assert_owner_in(tree, "", 0, 0);
	assert_owner_in(tree, "sub", 8, 9);
	close(tree);
}

struct faulty {
	const char *map;
	void (*check)(int tree);
};

/* A process that has no other children: the service would be one that the call left behind. */
static void survive(void *data)
{
	const struct faulty *f = data;
	struct operation op = { "service", .go = open_tree_by_service, .check = f->check };

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	enter_as_user();
	userns = userns_of(f->map);
	faults_survived(&op);
	close(userns);
}

static void survive_as_user(struct faulty f)
{
	faults_enter();
	start_idmountd();
	in_child(survive, &f);
	stop_idmountd();
}

TEST(a_tree_by_idmountd)
{
	survive_as_user((struct faulty){ SHIFT, check_shifted });
}

TEST(a_tree_by_idmountd_whose_top_keeps_its_owner)
{
	survive_as_user((struct faulty){ "1500:0:1,200000:8:2", check_same_top });
}
