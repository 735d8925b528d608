// Package pace slows work down that is in no hurry.
package pace
