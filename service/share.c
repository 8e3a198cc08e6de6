// SPDX-License-Identifier: MIT
#include "share.h"

#include "lib/base/macros.h"
#include "log.h"

/* A user's refusals in the log, in this time. */
#define LOG_REFUSALS 20
#define LOG_MS 10000

static bool is_owners(const struct share *share, const struct owner *owner)
{
	return share->owner.id == owner->id && share->owner.is_userns == owner->is_userns;
}

static bool is_log_time_over(const struct share *share, int64_t now)
{
	return now - share->since >= LOG_MS;
}

static void log_and_begin_anew(struct share *share, int64_t now)
{
	if (share->left_out)
		log_problem("%s %llu: %u refused requests more are not in the log",
			    share->owner.is_userns ? "user namespace" : "uid",
			    (unsigned long long)share->owner.id, share->left_out);
	share->refusals = 0;
	share->left_out = 0;
	share->since = now;
}

static bool is_better_to_reuse(const struct share *share, const struct share *other)
{
	return share->connections == 0 && (other->connections || share->since < other->since);
}

/* A new one, or of those without a connection the oldest. There are more shares than connections. */
static struct share *find_unused(struct share_table *table)
{
	struct share *best = table->shares;

	if (table->used < ARRAY_SIZE(table->shares))
		return &table->shares[table->used++];
	for (size_t i = 1; i < table->used; i++)
		if (is_better_to_reuse(&table->shares[i], best))
			best = &table->shares[i];
	return best;
}

struct share *get_share(struct share_table *table, const struct owner *owner, int64_t now)
{
	struct share *share;

	for (size_t i = 0; i < table->used; i++)
		if (is_owners(&table->shares[i], owner))
			return &table->shares[i];
	share = find_unused(table);
	log_and_begin_anew(share, now);
	share->owner = *owner;
	return share;
}

void move_in_share(struct share *share, enum state from, enum state to)
{
	if (from != FREE)
		share->in_state[from]--;
	if (to != FREE)
		share->in_state[to]++;
	share->connections += (to != FREE) - (from != FREE);
}

bool is_log_full(struct share *share, int64_t now)
{
	if (is_log_time_over(share, now))
		log_and_begin_anew(share, now);
	return share->refusals >= LOG_REFUSALS;
}

void count_refusal(struct share *share, bool logged)
{
	if (logged)
		share->refusals++;
	else
		share->left_out++;
}

int64_t log_left_out(struct share_table *table, int64_t now)
{
	int64_t next = -1;

	for (size_t i = 0; i < table->used; i++) {
		struct share *share = &table->shares[i];

		if (share->left_out && is_log_time_over(share, now))
			log_and_begin_anew(share, now);
		if (share->left_out && (next < 0 || share->since + LOG_MS < next))
			next = share->since + LOG_MS;
	}
	return next;
}
