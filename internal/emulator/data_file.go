package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long to wait for another process that has the file open.
const lockTimeout = 500 * time.Millisecond

var (
	// organizationsBucket holds a bucket per organization, by name. Such a bucket holds the following.
	organizationsBucket = []byte("organizations")
	// agentPoolsBucket holds the pools' JSON by id.
	agentPoolsBucket = []byte("agent_pools")
	// stacksBucket holds the id of a stack's pool by the JSON array of project and stack.
	stacksBucket = []byte("stacks")
	// defaultAgentPoolKey holds the id of the default pool.
	defaultAgentPoolKey = []byte("default_agent_pool")
)

// dataFile is the state on disk. Each write is a transaction of its own, on disk when it returns.
type dataFile struct {
	db *bbolt.DB
}

func openDataFile(path string) (*dataFile, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("the data file %s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the data file %s: %w", path, err)
	}
	return &dataFile{db: db}, nil
}

func (f *dataFile) close() error { return f.db.Close() }

func (f *dataFile) load(organizations map[string]*organization) error {
	err := f.db.View(func(tx *bbolt.Tx) error {
		root := tx.Bucket(organizationsBucket)
		if root == nil {
			return nil
		}
		return root.ForEachBucket(func(name []byte) error {
			o, ok := organizations[string(name)]
			if !ok {
				o = newOrganization()
				organizations[string(name)] = o
			}
			return loadOrganization(root.Bucket(name), o)
		})
	})
	if err != nil {
		return fmt.Errorf("reading the data file %s: %w", f.db.Path(), err)
	}
	return nil
}

func loadOrganization(bucket *bbolt.Bucket, o *organization) error {
	if pools := bucket.Bucket(agentPoolsBucket); pools != nil {
		err := pools.ForEach(func(id, value []byte) error {
			pool := new(agentPool)
			if err := json.Unmarshal(value, pool); err != nil {
				return fmt.Errorf("agent pool %s: %w", id, err)
			}
			o.apply(change{put: pool})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if stacks := bucket.Bucket(stacksBucket); stacks != nil {
		err := stacks.ForEach(func(key, poolID []byte) error {
			var names [2]string
			if err := json.Unmarshal(key, &names); err != nil {
				return fmt.Errorf("stack %s: %w", key, err)
			}
			o.apply(change{stacks: map[stackName]string{{project: names[0], stack: names[1]}: string(poolID)}})
			return nil
		})
		if err != nil {
			return err
		}
	}
	defaultPool := string(bucket.Get(defaultAgentPoolKey))
	o.apply(change{defaultPool: &defaultPool})
	return nil
}

func (f *dataFile) store(org string, c change) error {
	err := f.db.Update(func(tx *bbolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(organizationsBucket)
		if err != nil {
			return err
		}
		bucket, err := root.CreateBucketIfNotExists([]byte(org))
		if err != nil {
			return err
		}
		return storeChange(bucket, c)
	})
	if err != nil {
		return fmt.Errorf("writing the data file %s: %w", f.db.Path(), err)
	}
	return nil
}

func storeChange(bucket *bbolt.Bucket, c change) error {
	pools, err := bucket.CreateBucketIfNotExists(agentPoolsBucket)
	if err != nil {
		return err
	}
	if c.put != nil {
		value, err := json.Marshal(c.put)
		if err != nil {
			return err
		}
		if err := pools.Put([]byte(c.put.ID), value); err != nil {
			return err
		}
	}
	if c.remove != nil {
		if err := pools.Delete([]byte(c.remove.ID)); err != nil {
			return err
		}
	}
	if c.defaultPool != nil {
		if err := bucket.Put(defaultAgentPoolKey, []byte(*c.defaultPool)); err != nil {
			return err
		}
	}
	if len(c.stacks) == 0 {
		return nil
	}
	stacks, err := bucket.CreateBucketIfNotExists(stacksBucket)
	if err != nil {
		return err
	}
	for stack, poolID := range c.stacks {
		key, err := json.Marshal([2]string{stack.project, stack.stack})
		if err != nil {
			return err
		}
		if err := stacks.Put(key, []byte(poolID)); err != nil {
			return err
		}
	}
	return nil
}
