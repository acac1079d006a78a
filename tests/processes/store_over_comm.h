/* A store for tutti_init_from_store over a communicator that exists already: put keeps an entry here, fence gathers
 * everybody's new entries, get looks them up. It holds the library to what tutti.h promises of its callers: a key is
 * read only after the fence that followed its put, and all ranks enter equally many fences. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "tutti/tutti.h"

enum { store_key_bytes = 128, store_value_bytes = 4096, store_entries_per_fence = 16 };

typedef struct store_entry {
  uint64_t bytes;
  uint64_t used; /* 0: an empty place */
  char key[store_key_bytes];
  char value[store_value_bytes];
} store_entry;

typedef struct comm_store {
  tutti_comm* comm;
  size_t ranks;
  store_entry fresh[store_entries_per_fence];
  size_t fresh_count;
  store_entry* published; /* places, used or not */
  size_t published_count;
} comm_store;

static inline int comm_store_put(void* context, const char* key, const void* value, size_t bytes) {
  comm_store* store = (comm_store*)context;
  if (store->fresh_count == store_entries_per_fence || strlen(key) >= store_key_bytes || bytes >= store_value_bytes) {
    fprintf(stderr, "store: cannot take key \"%s\" of %zu bytes\n", key, bytes);
    return 1;
  }
  store_entry* entry = &store->fresh[store->fresh_count++];
  memset(entry, 0, sizeof *entry);
  entry->used = 1;
  entry->bytes = bytes;
  memcpy(entry->key, key, strlen(key));
  if (bytes > 0) memcpy(entry->value, value, bytes);
  return 0;
}

static inline int comm_store_fence(void* context) {
  comm_store* store = (comm_store*)context;
  const size_t places = store_entries_per_fence * store->ranks;
  store_entry* list = (store_entry*)realloc(store->published, (store->published_count + places) * sizeof *list);
  if (list == NULL) return 1;
  store->published = list;
  for (size_t i = store->fresh_count; i < store_entries_per_fence; ++i) store->fresh[i].used = 0;
  store->fresh_count = 0;
  list += store->published_count;
  store->published_count += places;
  return tutti_allgather(store->fresh, list, sizeof store->fresh, TUTTI_UINT8, store->comm);
}

static inline int comm_store_get(void* context, const char* key, void* value, size_t* bytes) {
  const comm_store* store = (const comm_store*)context;
  for (size_t i = store->published_count; i-- > 0;) {
    const store_entry* entry = &store->published[i];
    if (entry->used == 0 || strcmp(entry->key, key) != 0) continue;
    if (entry->bytes > *bytes) return 1;
    memcpy(value, entry->value, entry->bytes);
    *bytes = entry->bytes;
    return 0;
  }
  fprintf(stderr, "store: key \"%s\" is read before the fence that would publish it\n", key);
  return 1;
}

static inline comm_store comm_store_over(tutti_comm* comm, int ranks) {
  comm_store store;
  memset(&store, 0, sizeof store);
  store.comm = comm;
  store.ranks = (size_t)ranks;
  return store;
}
