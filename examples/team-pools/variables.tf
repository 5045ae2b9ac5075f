variable "teams" {
  description = "Teams that have an agent pool."
  type = map(object({
    name          = string
    description   = optional(string)
    force_destroy = optional(bool)
  }))
  default = {
    network = {
      name        = "network-runners"
      description = "Runners in the production network"
    }
    payments = {
      name = "payments-runners"
    }
  }
}
