// SPDX-License-Identifier: MIT
/*
 * What runc and crun write as the config.json of a new bundle is what tests/fixtures/plans says that
 * they do, also with maps added to it.
 */
#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/plan-text.h"

#define BUNDLE SCRATCH "/bundle"

static void enter(const char *runtime)
{
	need_command(runtime);
	need_command("jq");
	scratch_enter();
	scratch_dir(BUNDLE);
}

static void assert_as_in_fixture(const char *name)
{
	AUTO_FREE char *text = NULL, *expected = NULL;
	char path[500];
	size_t length;

	snprintf(path, sizeof(path), "%s/tests/fixtures/plans/good-oci-%s.plan",
		 getenv("IDM_SOURCE_ROOT"), name);
	expected = file_text(path, NULL);
	text = file_text(BUNDLE "/config.json", &length);
	assert_reads_at(HERE, name, text, length, NULL, expected);
}

/* Changes the new bundle's config.json, and looks at it. */
static void assert_with(const char *change, const char *name)
{
	char command[1500];

	snprintf(command, sizeof(command),
		 "cd " BUNDLE " && jq '%s' config.json >changed && mv changed config.json", change);
	assert_int_equal(RUN("sh", "-c", command), 0);
	assert_as_in_fixture(name);
}

#define ROWS(host) "[{containerID: 0, hostID: " #host ", size: 65536}]"
#define MAPPED                                                                                 \
	".mounts += [{destination: \"/data\", type: \"bind\", source: \"/srv/data\","          \
	" options: [\"rbind\", \"idmap\"], uidMappings: " ROWS(100000) ", gidMappings: " ROWS( \
		100000) "}]"
#define VOLUME(destination, option, word)                                                     \
	"{destination: \"" destination "\", type: \"bind\", source: \"/srv" destination "\"," \
	" options: [\"" option "\"" word "]}"
/* It replaces what MAPPED has added. */
#define USERNS                                                                                \
	"del(.mounts[-1]) | .mounts += [" VOLUME("/data", "rbind", ",\"ridmap\"") "," VOLUME( \
		"/one", "bind",                                                               \
		",\"idmap\"") "," VOLUME("/plain", "rbind",                                   \
					 "") "] | .linux.namespaces += [{type: \"user\"}]"    \
					     " | .linux.uidMappings = " ROWS(                 \
						     100000) " | .linux.gidMappings = " ROWS(200000)

TEST_ANYWHERE(runc_spec)
{
	enter("runc");
	assert_int_equal(RUN("runc", "spec", "--bundle", BUNDLE), 0);
	assert_as_in_fixture("runc");
	assert_with(MAPPED, "runc-mapped");
	assert_with(USERNS, "runc-userns");
}

TEST_ANYWHERE(runc_spec_rootless)
{
	enter("runc");
	assert_int_equal(RUN("runc", "spec", "--rootless", "--bundle", BUNDLE), 0);
	assert_as_in_fixture("runc-rootless");
}

TEST_ANYWHERE(crun_spec)
{
	enter("crun");
	assert_int_equal(RUN("crun", "spec", "--bundle", BUNDLE), 0);
	assert_as_in_fixture("crun");
	assert_with(MAPPED, "crun-mapped");
	assert_with(USERNS, "crun-userns");
}
