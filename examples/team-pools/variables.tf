variable "teams" {
  description = "The teams that run deployments on machines of their own, and the pool that each gets."
  type = map(object({
    name          = string
    description   = optional(string)
    force_destroy = optional(bool)
  }))
  default = {
    network = {
      name        = "network-runners"
      description = "Runners inside the production network"
    }
    payments = {
      name = "payments-runners"
    }
  }
}
