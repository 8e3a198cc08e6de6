// SPDX-License-Identifier: MIT
/*
 * What idm_explain() reports beside the verdict, and the facts that it rejects. That the verdict is the
 * kernel's is tested in tests/integration/explain/.
 */
#include <linux/capability.h>
#include <sys/stat.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/test.h"

/* The facts of most tests: a file of 1000:1000 with mode 0640, and a process of 2000:2000. */
static struct idm_explain_inode inode;
static struct idm_explain_options facts;
static struct idm_explain_result result;

static void start(enum idm_access access)
{
	inode = (struct idm_explain_inode)IDM_EXPLAIN_INODE_INIT;
	facts = (struct idm_explain_options)IDM_EXPLAIN_OPTIONS_INIT;
	result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	inode.mode = S_IFREG | 0640;
	inode.uid = inode.gid = 1000;
	facts.access = access;
	facts.inode = &inode;
	facts.fsuid = facts.fsgid = 2000;
}

static void explain(void)
{
	struct idm_error err;

	assert_ok(idm_explain(&facts, &result, &err), &err);
}

static void assert_refused(enum idm_access_rule rule, int errnum)
{
	explain();
	assert_int_equal(result.rule, rule);
	assert_int_equal(result.errnum, errnum);
}

static void assert_allowed(void)
{
	assert_refused(IDM_RULE_NONE, 0);
}

/* ---- entries ---- */

TEST(the_entry_that_applies_and_its_missing_bits)
{
	start(IDM_ACCESS_WRITE);
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_int_equal(result.entry, IDM_CLASS_OTHER);
	assert_int_equal(result.missing, 2);
	facts.fsgid = 1000;
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_int_equal(result.entry, IDM_CLASS_GROUP);
	assert_int_equal(result.entry_id, 1000);
	facts.fsuid = 1000;
	assert_allowed();
	assert_int_equal(result.entry, IDM_CLASS_OWNER);
	assert_int_equal(result.missing, 0);
}

TEST(an_entry_of_the_acl)
{
	const struct idm_acl_entry acl[] = { { IDM_UID, 2000, 7 }, { IDM_GID, 3000, 6 } };

	start(IDM_ACCESS_WRITE);
	inode.flags = IDM_INODE_ACL;
	inode.acl = acl;
	inode.n_acl = ARRAY_SIZE(acl);
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_int_equal(result.entry, IDM_CLASS_ACL_USER);
	assert_int_equal(result.missing, 2);
	inode.mode = S_IFREG | 0660;
	assert_allowed();
	facts.fsuid = 2001;
	facts.groups = &acl[1].id;
	facts.n_groups = 1;
	assert_allowed();
	assert_int_equal(result.entry, IDM_CLASS_ACL_GROUP);
	assert_int_equal(result.entry_id, 3000);
}

/* The kernel does not look at an ACL with an empty mask. */
TEST(an_empty_mask_disables_the_acl)
{
	const struct idm_acl_entry none = { IDM_UID, 2000, 0 };

	start(IDM_ACCESS_READ);
	inode.mode = S_IFREG | 0604;
	inode.flags = IDM_INODE_ACL;
	inode.acl = &none;
	inode.n_acl = 1;
	assert_allowed();
	assert_int_equal(result.entry, IDM_CLASS_OTHER);
}

/* ---- maps ---- */

TEST(the_owner_as_the_mount_shows_it)
{
	AUTO_MAP struct idm_map *map = map_of("u:1000:2000,g:5:6");

	start(IDM_ACCESS_READ);
	facts.mount_map = map;
	assert_allowed();
	assert_int_equal(result.uid, 2000);
	assert_int_equal(result.gid, IDM_EXPLAIN_NO_ID);
	facts.access = IDM_ACCESS_WRITE;
	assert_refused(IDM_RULE_UNMAPPED_OWNER, EACCES);
	assert_int_equal(result.kinds, IDM_GID);
}

TEST(a_filesystem_of_a_user_namespace)
{
	AUTO_MAP struct idm_map *inside = map_of("0:1000:10"), *map = map_of("0:5000:10");

	start(IDM_ACCESS_READ);
	facts.fs_map = inside;
	facts.mount_map = map;
	explain();
	assert_int_equal(result.uid, 5000);
	inode.uid = 999;
	explain();
	assert_int_equal(result.uid, IDM_EXPLAIN_NO_ID);
}

TEST(an_id_that_cannot_own_a_new_file)
{
	AUTO_MAP struct idm_map *map = map_of("u:1000:2000,g:1000:1000");

	start(IDM_ACCESS_CREATE);
	inode.mode = S_IFDIR | 0777;
	facts.mount_map = map;
	assert_refused(IDM_RULE_UNMAPPED_NEW_ID, EOVERFLOW);
	assert_int_equal(result.kinds, IDM_GID);
	facts.fsgid = 1000;
	assert_allowed();
}

/* ---- capabilities ---- */

TEST(a_capability_that_helps_and_one_that_does_not_count)
{
	AUTO_MAP struct idm_map *namespace = map_of("0:2000:10");

	start(IDM_ACCESS_READ);
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_int_equal(result.capability, CAP_DAC_READ_SEARCH);
	assert_false(result.capable);
	facts.capabilities = 1ULL << CAP_DAC_OVERRIDE;
	assert_allowed();
	assert_int_equal(result.capability, CAP_DAC_OVERRIDE);
	facts.userns_map = namespace;
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_true(result.capable);
}

TEST(no_capability_executes_what_is_no_program)
{
	start(IDM_ACCESS_EXECUTE);
	facts.capabilities = ~0ULL;
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_int_equal(result.capability, -1);
	inode.mode |= S_IXOTH;
	assert_allowed();
}

/* ---- the inode that a rule is about ---- */

TEST(the_directory_or_the_file)
{
	struct idm_explain_inode directory = IDM_EXPLAIN_INODE_INIT;

	start(IDM_ACCESS_UNLINK);
	directory.mode = S_IFDIR | 0755;
	facts.directory = &directory;
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	assert_true(result.on_directory);
	directory.mode = S_IFDIR | S_ISVTX | 0777;
	assert_refused(IDM_RULE_STICKY, EPERM);
	assert_false(result.on_directory);
	assert_int_equal(result.capability, CAP_FOWNER);
	inode.uid = 2000;
	assert_allowed();
	inode.flags = IDM_INODE_IMMUTABLE;
	assert_refused(IDM_RULE_IMMUTABLE, EPERM);
}

TEST(a_chown_of_a_setuid_file_changes_its_mode)
{
	start(IDM_ACCESS_CHOWN);
	facts.new_gid = 1;
	facts.capabilities = 1ULL << CAP_CHOWN;
	assert_allowed();
	inode.mode |= S_ISUID;
	assert_refused(IDM_RULE_NOT_OWNER, EPERM);
	assert_int_equal(result.capability, CAP_FOWNER);
}

/* ---- sticky directories ---- */

/* In a directory as /tmp: of root, and all may write to it. The file is that of 1000, as in start(). */
static void start_in(struct idm_explain_inode *directory, enum idm_access access, uint32_t mode)
{
	start(access);
	inode.mode = mode;
	*directory = (struct idm_explain_inode)IDM_EXPLAIN_INODE_INIT;
	directory->mode = S_IFDIR | S_ISVTX | 0777;
	facts.directory = directory;
}

/* may_follow_link() */
TEST(a_link_of_another_user_in_a_sticky_directory)
{
	struct idm_explain_inode directory;

	start_in(&directory, IDM_ACCESS_FOLLOW, S_IFLNK | 0777);
	assert_allowed();
	facts.protected_symlinks = 1;
	assert_refused(IDM_RULE_PROTECTED_LINK, EACCES);
	/* No capability helps. */
	facts.capabilities = ~0ULL;
	facts.attr = IDM_ATTR_NOSYMFOLLOW;
	assert_refused(IDM_RULE_PROTECTED_LINK, EACCES);
	facts.fsuid = 1000;
	assert_refused(IDM_RULE_NOSYMFOLLOW, ELOOP);
	facts.fsuid = 2000;
	facts.attr = 0;
	directory.uid = 1000;
	assert_allowed();
	directory.uid = 0;
	directory.mode = S_IFDIR | S_ISVTX | 0775;
	assert_allowed();
	directory.mode = S_IFDIR | 0777;
	assert_allowed();
}

/* Two owners that the map leaves out are not the same. */
TEST(a_link_whose_owner_the_mount_does_not_map)
{
	AUTO_MAP struct idm_map *map = map_of("0:0:10,2000:2000:1");
	struct idm_explain_inode directory;

	start_in(&directory, IDM_ACCESS_FOLLOW, S_IFLNK | 0777);
	facts.protected_symlinks = 1;
	facts.mount_map = map;
	directory.uid = 1000;
	assert_refused(IDM_RULE_PROTECTED_LINK, EACCES);
}

/* may_create_in_sticky() */
TEST(a_file_of_another_user_in_a_sticky_directory_that_is_opened_with_o_creat)
{
	struct idm_explain_inode directory;

	start_in(&directory, IDM_ACCESS_OVERWRITE, S_IFREG | 0666);
	facts.protected_fifos = 1;
	assert_allowed();
	facts.protected_regular = 1;
	assert_refused(IDM_RULE_PROTECTED_FILE, EACCES);
	directory.mode = S_IFDIR | S_ISVTX | 0770;
	assert_allowed();
	facts.protected_regular = 2;
	assert_refused(IDM_RULE_PROTECTED_FILE, EACCES);
	directory.uid = 1000;
	assert_allowed();
	/* Then the rules of IDM_ACCESS_WRITE. */
	inode.mode = S_IFREG | 0644;
	assert_refused(IDM_RULE_PERMISSION, EACCES);
	/* A device has no setting. */
	start_in(&directory, IDM_ACCESS_OVERWRITE, S_IFCHR | 0666);
	assert_refused(IDM_RULE_PROTECTED_FILE, EACCES);
}

/* ---- wrong facts ---- */

static void assert_wrong(const char *reason)
{
	struct idm_explain_result before = result;
	struct idm_error err;

	assert_error(idm_explain(&facts, &result, &err), -EINVAL, &err, "", "explain access", reason);
	assert_int_equal(idm_explain(&facts, &result, NULL), -EINVAL);
	assert_int_equal(memcmp(&before, &result, sizeof(before)), 0);
}

TEST(wrong_facts)
{
	struct idm_explain_inode directory;

	start(0);
	assert_wrong("unknown access 0");
	start(IDM_ACCESS_OVERWRITE + 1);
	assert_wrong("unknown access 10");
	start(IDM_ACCESS_READ);
	facts.inode = NULL;
	assert_wrong("expected inode, got NULL");
	start(IDM_ACCESS_UNLINK);
	assert_wrong("expected directory, got NULL");
	facts.directory = &inode;
	assert_wrong("expected a directory that the file is in");
	start(IDM_ACCESS_CREATE);
	assert_wrong("expected a directory to create in");
	start(IDM_ACCESS_READ);
	inode.mode = S_IFLNK | 0777;
	assert_wrong("expected the destination of a symbolic link, got the link");
	start(IDM_ACCESS_FOLLOW);
	assert_wrong("expected directory, got NULL");
	start_in(&directory, IDM_ACCESS_FOLLOW, S_IFREG | 0644);
	assert_wrong("expected a symbolic link");
	start_in(&directory, IDM_ACCESS_OVERWRITE, S_IFDIR | 0755);
	assert_wrong("expected a file, got a directory");
	start(IDM_ACCESS_READ);
	facts.fsuid = IDM_EXPLAIN_NO_ID;
	assert_wrong("4294967295 is not an ID of a process");
	start(IDM_ACCESS_READ);
	facts.n_groups = 3;
	assert_wrong("expected 3 groups, got NULL");
}

TEST(wrong_acls)
{
	const struct idm_acl_entry both = { IDM_BOTH, 0, 7 };

	start(IDM_ACCESS_READ);
	inode.acl_group = 7;
	assert_wrong("expected IDM_INODE_ACL with an ACL");
	inode.flags = IDM_INODE_ACL;
	inode.n_acl = 1;
	assert_wrong("expected 1 ACL entries, got NULL");
	inode.acl = &both;
	assert_wrong("acl[0]: expected IDM_UID or IDM_GID, got 0x3");
}
