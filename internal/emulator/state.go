package emulator

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// agentPool is a pool as it is kept. It is never changed once it is part of an organization: a write puts another in
// its place, so that readers can hold on to one without a lock.
type agentPool struct {
	// Sequence orders an organization's pools by creation.
	Sequence       uint64    `json:"sequence"`
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Description    string    `json:"description"`
	Created        time.Time `json:"created"`
	LastSeen       time.Time `json:"lastSeen,omitzero"`
	LastDeployment time.Time `json:"lastDeployment,omitzero"`
	TokenHash      []byte    `json:"tokenHash"`
	Agents         []Agent   `json:"agents,omitempty"`
}

type stackName struct {
	project, stack string
}

type organization struct {
	// pools are in order of their sequence.
	pools       []*agentPool
	byID        map[string]*agentPool
	byName      map[string]*agentPool
	defaultPool string
	// stacks maps the stacks that have deployment settings to the id of their pool, or to "".
	stacks map[stackName]string
}

func newOrganization() *organization {
	return &organization{
		byID:   make(map[string]*agentPool),
		byName: make(map[string]*agentPool),
		stacks: make(map[stackName]string),
	}
}

// pool returns a pool by its id, or a refusal.
func (o *organization) pool(id string) (*agentPool, error) {
	pool, ok := o.byID[id]
	if !ok {
		return nil, refuse(http.StatusNotFound, "there is no agent pool %q", id)
	}
	return pool, nil
}

func (o *organization) nextSequence() uint64 {
	if len(o.pools) == 0 {
		return 1
	}
	return o.pools[len(o.pools)-1].Sequence + 1
}

// stacksOf returns the stacks whose settings name the pool.
func (o *organization) stacksOf(poolID string) []stackName {
	var stacks []stackName
	for stack, id := range o.stacks {
		if id == poolID {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// change is what a write does to one organization, in the file and in memory alike.
type change struct {
	put         *agentPool
	remove      *agentPool
	defaultPool *string
	stacks      map[stackName]string
}

func (o *organization) apply(c change) {
	if c.put != nil {
		if old := o.byID[c.put.ID]; old != nil {
			delete(o.byName, old.Name)
		}
		o.byID[c.put.ID] = c.put
		o.byName[c.put.Name] = c.put
		if i, found := o.position(c.put); found {
			o.pools[i] = c.put
		} else {
			o.pools = slices.Insert(o.pools, i, c.put)
		}
	}
	if c.remove != nil {
		delete(o.byID, c.remove.ID)
		delete(o.byName, c.remove.Name)
		if i, found := o.position(c.remove); found {
			o.pools = slices.Delete(o.pools, i, i+1)
		}
	}
	if c.defaultPool != nil {
		o.defaultPool = *c.defaultPool
	}
	maps.Copy(o.stacks, c.stacks)
}

func (o *organization) position(pool *agentPool) (int, bool) {
	return slices.BinarySearchFunc(o.pools, pool.Sequence, func(p *agentPool, sequence uint64) int {
		return cmp.Compare(p.Sequence, sequence)
	})
}

// state holds the organizations in memory, and in the file if there is one.
type state struct {
	// writing serialises writes, which are decided and stored without keeping readers waiting.
	writing sync.Mutex
	file    *dataFile

	// mu guards organizations. Whoever holds writing may read without it, since only a write changes them.
	mu            sync.RWMutex
	organizations map[string]*organization
}

func newState(organizations []string, path string) (*state, error) {
	s := &state{organizations: make(map[string]*organization)}
	for _, name := range organizations {
		if name == "" {
			return nil, errors.New("an organization's name is empty")
		}
		s.organizations[name] = newOrganization()
	}
	if path == "" {
		return s, nil
	}
	file, err := openDataFile(path)
	if err != nil {
		return nil, err
	}
	if err := file.load(s.organizations); err != nil {
		return nil, errors.Join(err, file.close())
	}
	s.file = file
	return s, nil
}

func (s *state) close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.close()
}

func (s *state) organization(name string) (*organization, error) {
	organization, ok := s.organizations[name]
	if !ok {
		return nil, unknownOrganization(name)
	}
	return organization, nil
}

func unknownOrganization(name string) *Error {
	return refuse(http.StatusNotFound, "there is no organization %q", name)
}

// read lets look see an organization. What it takes away must not be the organization's own slices or maps.
func (s *state) read(org string, look func(*organization) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	organization, err := s.organization(org)
	if err != nil {
		return err
	}
	return look(organization)
}

// write stores the change that decide derives from an organization, or nothing if decide fails.
func (s *state) write(org string, decide func(*organization) (change, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	organization, err := s.organization(org)
	if err != nil {
		return err
	}
	c, err := decide(organization)
	if err != nil {
		return err
	}
	if s.file != nil {
		if err := s.file.store(org, c); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	organization.apply(c)
	return nil
}
