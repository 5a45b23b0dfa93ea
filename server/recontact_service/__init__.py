"""The Recontacts API itself, embedded or standing alone.

Import what you need from the submodules (`settings`, `running`, `serve`, `seed`, `faults`): importing the
package alone costs nothing.
"""
